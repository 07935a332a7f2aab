"""The versions of a table that can still be read: listing them, finding one, and clearing what nobody reads any more.

Every write makes a version. Most are steps of a run and soon forgotten; one that stayed the newest for a while is worth
coming back to. A version costs what was rewritten or removed since, not a copy of the table.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import InputError, StoreError

GRACE = dt.timedelta(minutes=10)
"""A version is kept for so long after it was replaced, as somebody may still read it; and one that was the newest for
less is a step of a run."""
HASTE = dt.timedelta(minutes=1)
"""The same where space is short: a search is over by then."""
KEPT = dt.timedelta(days=30)
"""The store can be read as it was at any moment of these, steps of a run left out, if there is space."""
MOST = 100
"""Versions kept beyond the grace: each is a file that a listing reads."""
SPARE = 0.4
"""All that is not in the newest version may weigh this share of it; beyond, the oldest versions go first. So a store
stays within 1.5 times its rows, manifests and indices included."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a table.

    Attributes:
        number: counted from 1.
        time: of the commit, UTC.
        rows: in the table.
        weight: bytes of its data files.
    """

    number: int
    time: dt.datetime
    rows: int
    weight: int

    def __str__(self) -> str:
        return f"{self.number} of {self.time:%Y-%m-%dT%H:%M:%SZ}"


def versions(table: Any) -> list[Version]:
    """Those that can be read, oldest first."""
    found = [
        Version(
            number=record["version"],
            time=record["timestamp"].astimezone(dt.UTC),  # Lance gives local time without a zone
            rows=int(record["metadata"]["total_rows"]),
            weight=int(record["metadata"]["total_files_size"]),
        )
        for record in table.versions()
    ]
    return sorted(found, key=lambda version: version.number)


def parse(text: str) -> int | dt.datetime:
    """A version number, or a moment: an ISO date (its last moment) or time, in UTC unless it says another zone.

    Raises:
        InputError: it is neither.
    """
    if text.isdecimal():
        return int(text)
    try:
        moment = dt.datetime.fromisoformat(text)
        if len(text) <= len("YYYY-MM-DD"):
            moment = dt.datetime.combine(moment, dt.time.max)
    except ValueError as error:
        raise InputError(
            f"{text!r} is neither the number of a version nor a date or time, as 2026-01-31 or 2026-01-31T18:00"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)


def find(there: Sequence[Version], asked: int | dt.datetime, path: str) -> Version:
    """The version of that number, or the newest at or before a moment.

    Args:
        there: from `versions`.
        asked: a moment has a time zone.
        path: of the store, for the message.

    Raises:
        StoreError: it is not there (any more).
    """
    if isinstance(asked, int):
        found = [version for version in there if version.number == asked]
    else:
        found = [version for version in there if version.time <= asked]
    if found:
        return found[-1]
    what = f"version {asked}" if isinstance(asked, int) else f"version of {asked:%Y-%m-%dT%H:%M:%SZ} or before"
    raise StoreError(
        f"the store {path} has no {what} that can be read; the oldest is {there[0]}, the newest {there[-1]} "
        f"(`geocmer info --store {path}` lists them)"
    )


def last_moment(there: Sequence[Version], number: int) -> dt.datetime:
    """When what belongs to a version was written, in other tables too: before the next one, and within the grace.

    A scene's row follows its last tiles by less than a second; later rows belong to later versions, which may have been
    cleared.
    """
    at = next(place for place, version in enumerate(there) if version.number == number)
    if at == len(there) - 1:
        return dt.datetime.max.replace(tzinfo=dt.UTC)
    return min(there[at].time + GRACE, there[at + 1].time - dt.timedelta(microseconds=1))


def superseded(there: Sequence[Version], now: dt.datetime) -> list[int]:
    """Numbers of the versions to clear: steps of runs, and what is old.

    Args:
        there: from `versions`.
        now: UTC.
    """
    gone, kept = [], []
    for version, following in pairwise(there):
        replaced, stayed = now - following.time, following.time - version.time
        if replaced > KEPT or (replaced > GRACE and stayed < GRACE):
            gone.append(version.number)
        elif replaced > GRACE:
            kept.append(version.number)
    return sorted(gone + kept[:-MOST])


def clear(table: Any, folder: Path | None, now: dt.datetime | None = None) -> None:
    """Clear the versions that nobody reads any more, and the oldest others if they weigh too much.

    Args:
        table: as pylance has it.
        folder: of the table, to see what it weighs; None where it is no local folder, and then weight counts nothing.
        now: UTC.
    """
    for numbers in (superseded, lambda there, now: overweight(table, there, folder, now)):
        gone = numbers(versions(table), now or dt.datetime.now(dt.UTC))
        if gone:
            table.cleanup_old_versions(versions=gone)


def overweight(table: Any, there: Sequence[Version], folder: Path | None, now: dt.datetime) -> list[int]:
    """Numbers of the oldest versions, if what only they hold weighs too much beside the newest."""
    budget = SPARE * there[-1].weight
    if folder is None or len(there) < 2 or _bytes(folder) <= there[-1].weight + budget:
        return []
    held = set(_files(table, there[-1].number))
    extra = 0
    for at in range(len(there) - 2, -1, -1):
        files = _files(table, there[at].number)
        extra += sum(size for name, size in files.items() if name not in held)
        held |= set(files)
        if extra > budget and now - there[at + 1].time > HASTE:
            return [version.number for version in there[: at + 1]]
    return []


def files(table: Any, there: Sequence[Version]) -> set[str]:
    """Names of the data files that any of the versions holds. One that another process clears meanwhile holds none."""
    names: set[str] = set()
    for version in there:
        try:
            names |= set(_files(table, version.number))
        except (ValueError, OSError):
            continue
    return names


def _files(table: Any, number: int) -> dict[str, int]:
    """Name -> bytes of the data files of a version."""
    fragments = table.checkout_version(number).get_fragments()
    return {file.path: file.file_size_bytes or 0 for fragment in fragments for file in fragment.metadata.files}


def _bytes(folder: Path) -> int:
    """What a folder weighs. Files may vanish meanwhile: others clear too."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total
