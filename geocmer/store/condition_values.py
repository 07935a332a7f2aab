"""The values in a condition, each with how it is read of tiles: numbers, texts, times and geometries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from ..geometry.bbox import BBox
from ..geometry.region import Region
from ..imagery.times import to_utc
from .cql2_text import Node
from .operations import Period
from .tile_columns import NO_TIME, TileView, microseconds

FIRST, LAST = np.int64(np.iinfo(np.int64).min + 1), np.int64(np.iinfo(np.int64).max)
"""Where an open interval begins and ends."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number: `read` gives (n,) or one for all tiles, NaN where a tile has none."""

    read: Callable[[TileView], NDArray[np.float64]]
    literal: float | None = None
    share: str | None = None
    """The class whose share it is."""
    of_shares: bool = False
    """It is compared with the tolerance of shares."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text: one that the condition gives, or the category of a tile, changed by `change` before it is compared."""

    literal: str | None
    change: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class Time:
    """A moment or a span: `read` gives its ends and where they are known."""

    read: Callable[[TileView], tuple[Period, NDArray[np.bool_] | np.bool_]]
    period: Period | None = None
    """Of one that the condition gives."""
    interval: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A geometry: of a tile, or one that the condition gives, in WGS84."""

    literal: BaseGeometry | None = None
    region: Region | None = None
    """The same, if it is an area."""


Value: TypeAlias = Number | Text | Time | Place


def acquired(view: TileView) -> tuple[Period, NDArray[np.bool_]]:
    """Return when tiles were acquired, and of which it is known, (n,)."""
    times = view.tiles.times(view.rows)
    return Period(times, times), times != NO_TIME


def read_moment(text: str) -> Period:
    """Read a date, which is all of its day, or a moment; without a zone it is in UTC.

    Raises:
        ValueError: it is neither.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return Period(*[np.int64(microseconds(to_utc(datetime.fromisoformat(text))))] * 2)
    ends = (microseconds(datetime.combine(day, at, UTC)) for at in (time.min, time.max))
    return Period(*map(np.int64, ends))


def read_place(node: Node) -> Place:
    """Read a box or a GeoJSON geometry.

    Raises:
        InputError: it does not lie on the Earth.
        ValueError: likewise, and what is no geometry.
    """
    if "bbox" in node:
        box = Region.from_bbox(BBox(*node["bbox"]) if len(node["bbox"]) == 4 else _refuse("a box has four numbers"))
        return Place(box.geometry, box)
    shape = shapely.geometry.shape(node)
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        area = Region.parse(shape.wkt)
        return Place(area.geometry, area)
    points = shapely.get_coordinates(shape)
    if not (np.isfinite(points).all() and (np.abs(points) <= (180, 90)).all()):
        _refuse(f"{shape.wkt[:40]!r} is not in degrees, longitude first")
    return Place(shape)


def _refuse(why: str) -> BBox:
    raise ValueError(why)
