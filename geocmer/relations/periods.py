"""Two times between which something changed, and what besides the ground may differ between their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from ..errors import InputError
from ..search.criteria import read_day
from ..store.filter import Filter

SEASON_DAYS = 60
"""Days of the year that pictures may be apart before their season is said to differ."""
GSD_RATIO = 1.5
"""Ratio of ground resolutions from which on the sensors are said to differ."""
_YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Periods:
    """An earlier time and a later one.

    Attributes:
        earlier: pictures taken until its end.
        later: pictures taken from its beginning on.
    """

    earlier: Filter
    later: Filter

    @classmethod
    def of(cls, before: str | date, after: str | date) -> Self:
        """Read the two times.

        Args:
            before: last day of the earlier pictures; of a year or a month, as "2009" or "2009-07", its last day.
            after: first day of the later ones; of a year or a month its first day.

        Raises:
            InputError: one is no date, or they are not one after the other.
        """
        last, first = _day(before, last=True), _day(after, last=False)
        if last >= first:
            raise InputError(f"{before} does not end before {after} begins; give the earlier time first")
        return cls(Filter(until=last), Filter(since=first))

    @property
    def title(self) -> str:
        """The two times, for people."""
        return f"until {self.earlier.until} and from {self.later.since} on"


def _day(value: str | date, *, last: bool) -> date:
    if isinstance(value, date):
        return value.date() if isinstance(value, datetime) else value
    try:
        return read_day(value, last=last)
    except ValueError:
        raise InputError(f"date {value!r} is not YYYY, YYYY-MM or YYYY-MM-DD") from None


def pair_remark(hit: datetime, other: datetime, hit_gsd: float, other_gsd: float) -> str:
    """Say when the other picture of a pair was taken, and what besides the ground may differ from the hit's."""
    apart = abs(hit.timetuple().tm_yday - other.timetuple().tm_yday)
    differs = ["season"] if min(apart, _YEAR_DAYS - apart) > SEASON_DAYS else []
    if max(hit_gsd, other_gsd) > GSD_RATIO * min(hit_gsd, other_gsd):
        differs.append(f"sensor ({other_gsd:.3g} m, {hit_gsd:.3g} m)")
    return f"{other.date()}" + (f", other {' and '.join(differs)}" if differs else "")
