"""Conditions as people write them, in Python or on a command line -> one `Filter`."""

from __future__ import annotations

import calendar
import contextlib
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeAlias

from shapely.geometry.base import BaseGeometry

from ..errors import InputError
from ..geometry.bbox import BBox
from ..geometry.lengths import read_length
from ..geometry.region import Region
from ..imagery.times import to_utc
from ..store.filter import EVERY_TILE, Filter
from ..store.reader import Reader

BBoxLike: TypeAlias = BBox | Sequence[float] | str
RegionLike: TypeAlias = Region | BBox | BaseGeometry | str | Path
DateLike: TypeAlias = date | str
GsdLike: TypeAlias = tuple[float | None, float | None] | float | str

CONDITIONS = ("bbox", "region", "within", "category", "since", "until", "gsd", "where")
"""The names of conditions, see `make_filter`."""
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_WEEK = re.compile(r"(\d{4})-?W(\d{2})")


def make_filter(
    filter: Filter | None = None,
    *,
    bbox: BBoxLike | None = None,
    region: RegionLike | None = None,
    category: str | None = None,
    since: DateLike | None = None,
    until: DateLike | None = None,
    gsd: GsdLike | None = None,
    where: str | None = None,
    within: float | str | None = None,
) -> Filter:
    """Make the filter that some conditions describe; what is None holds for every tile.

    Args:
        filter: all conditions at once, instead of the others.
        bbox: (west, south, east, north) in degrees, WGS84, or the same as text; west > east crosses the antimeridian.
        region: instead of `bbox`, a polygon: a file, WKT or a geometry in WGS84.
        category: scene category.
        since: first day or moment; as text YYYY-MM-DD, or a time as an export writes it.
        until: last day or moment, likewise.
        gsd: finest and coarsest ground resolution in metres, both included; as text "LO..HI"; one number for both.
        where: condition in CQL2 text, as `built_up > 0.3 and category = 'forest'`.
        within: distance around the points, lines and areas of `region`, in metres or as "5km"; None: its areas alone.

    Raises:
        InputError: a condition cannot be read or is empty, they contradict each other, or there are two of one kind.
    """
    given: dict[str, Any] = {"bbox": bbox, "region": region, "category": category, "since": since}
    given |= {"until": until, "gsd": gsd, "where": where, "within": within}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, str) and not value.strip():
            raise InputError(f"{name} is empty, as from a variable that is not set; give a value, or leave it out")
    if filter is not None and given:
        raise InputError(f"{', '.join(given)} and a filter were both given; put all conditions into the filter")
    if filter is not None or not given:
        return filter or EVERY_TILE
    if bbox is not None and region is not None:
        raise InputError(f"bbox {bbox} and region {region} were both given; use one of them")
    if within is not None and (region is None or isinstance(region, Region | BBox)):
        raise InputError(f"within {within} needs a region with points, lines or areas: a file, WKT or geometry")
    area = read_region(region, within) if region is not None else read_bbox(bbox) if bbox is not None else None
    return Filter(area, category, read_date(since), read_date(until, last=True), read_gsd(gsd), where)


def filter_notes(filter: Filter, store: Reader) -> Iterator[str]:
    """Tell what of a filter may surprise.

    That is how its region was read, which of its categories no tile has, and how many tiles no period can find.
    """
    if filter.region is not None and filter.region.note:
        yield filter.region.note
    if len(filter.categories) > 1:  # of one alone it is an error that no tile is found
        for name in filter.categories:
            if unknown := store.snapshot().unknown_category(name):
                yield unknown
    timed = filter.period != (None, None)
    dated = filter.condition is not None and "datetime" in filter.condition.attributes
    undated = store.snapshot().undated if timed or dated else 0
    if undated and timed:
        yield f"{undated} tiles of the store have no date; --since and --until leave them out"
    elif undated:
        yield f"{undated} tiles of the store have no date; what a condition says of it is unknown for them"


def read_bbox(value: BBoxLike) -> BBox:
    """Make a box of "west,south,east,north" or of four numbers.

    Raises:
        InputError: it is not four numbers that make a box.
    """
    if isinstance(value, BBox):
        return value
    text = value if isinstance(value, str) else ",".join(map(str, value))
    return BBox.parse(text)


def read_region(value: RegionLike, within: float | str | None = None) -> Region | BBox:
    """Make a region of a file's name, WKT or a geometry in WGS84, or of what lies within a distance of it.

    Raises:
        InputError: it cannot be read.
    """
    if isinstance(value, Region | BBox):
        return value
    metres = read_length(within) if isinstance(within, str) else within
    return Region.parse(value.wkt if isinstance(value, BaseGeometry) else str(value), metres)


def read_date(value: DateLike | None, *, last: bool = False) -> date | None:
    """Make a date, or a moment as an export writes it, of text; a moment without a zone is in UTC.

    Args:
        value: a date, a moment, or text: YYYY, YYYY-MM, YYYY-MM-DD or a moment in ISO 8601.
        last: a year, a month or a week stands for its last day, else for its first.

    Raises:
        InputError: it is none of them.
    """
    if not isinstance(value, str):
        return value
    with contextlib.suppress(ValueError):
        return read_day(value, last=last)
    with contextlib.suppress(ValueError):
        return date.fromisoformat(value.strip())
    with contextlib.suppress(ValueError):
        return to_utc(datetime.fromisoformat(value.strip()))
    raise InputError(f"date {value!r} is not YYYY, YYYY-MM or YYYY-MM-DD")


def read_day(text: str, *, last: bool) -> date:
    """Read a day; a year, a month or a week, as 2019-W22, stands for its first day or its last.

    Raises:
        ValueError: it is none of them.
    """
    if week := _WEEK.fullmatch(text.strip()):
        return date.fromisocalendar(int(week[1]), int(week[2]), 7 if last else 1)
    found = _DAY.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    year, month, day = (None if part is None else int(part) for part in found.groups())
    assert year is not None  # the pattern has one
    month = (12 if last else 1) if month is None else month
    return date(year, month, (calendar.monthrange(year, month)[1] if last else 1) if day is None else day)


def read_gsd(value: GsdLike | None) -> tuple[float | None, float | None] | None:
    """Make finest and coarsest ground resolution of "LO..HI", "LO..", "..HI" or one number for both.

    Raises:
        InputError: it is none of them.
    """
    if value is None or isinstance(value, tuple):
        return value
    if not isinstance(value, str):
        return float(value), float(value)
    finest, dots, coarsest = value.partition("..")
    try:
        low, high = (float(side) if side.strip() else None for side in (finest, coarsest if dots else finest))
    except ValueError as error:
        raise InputError(f"gsd {value!r} is not LO..HI in metres; write for instance 0.3..10") from error
    if low is None and high is None:
        raise InputError(f"gsd {value!r} has no number, as from variables that are not set; write for instance 0.3..10")
    return low, high
