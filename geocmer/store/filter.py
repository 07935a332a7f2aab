"""Which tiles a question is about: a coarse filter that Lance can run, and the exact decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.bbox import BBox
from ..geometry.region import Region
from ..geometry.region_grid import GRID_MIN_EXTENTS, RegionGrid
from .where import Shares

if TYPE_CHECKING:
    import pyarrow.compute as pc

MAX_BOXES = 8
"""A region in more parts than this is prefiltered by one box around them all."""


NO_TIME = np.iinfo(np.int64).min
"""Stands for "no time" among microseconds."""


class TileColumns(Protocol):
    """What a filter reads of tiles; each column is read only if a condition needs it. `rows` are positions, (n,)."""

    def in_category(self, name: str, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which tiles have a category, (n,)."""

    def times(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return acquisition times, microseconds since 1970, UTC, or `NO_TIME`, (n,)."""

    def gsds(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return ground resolutions, metres, (n,)."""

    def have_land_cover(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which tiles have land cover, (n,)."""

    def labels(self) -> Iterable[str]:
        """Return every land-cover label in the store."""

    def share(self, labels: frozenset[str], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the share that labels have of each tile, 0..1, (n,)."""

    def extents_of(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return unwrapped extents, degrees, (n, 4)."""

    def footprints(self, rows: NDArray[np.intp]) -> NDArray[np.object_]:
        """Return footprints in WGS84, (n,)."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on tiles, all of which must hold; what is None holds for every tile.

    One is made where conditions are given and passed on as it is; `EVERY_TILE` has none.

    Attributes:
        region: a tile's footprint must share at least a point with it.
        category: exactly this scene category.
        since: acquired at this time or later; a date means its first moment, UTC. Tiles without a time do not pass.
        until: acquired at this time or earlier; a date means its last moment, UTC. Tiles without a time do not pass.
        gsd: finest and coarsest ground resolution, metres, both included; None leaves a side open. Compared as float32,
            which is what a store keeps, so that 0.3 means 0.3.
        where: a condition on the land cover, as `built_up > 0.3 and water <= 0.1` (see `Shares`). Tiles without land
            cover do not pass.
        shares: the same, parsed.

    Raises:
        InputError: conditions that contradict each other, or are not of the form described.
    """

    region: Region | BBox | None = None
    category: str | None = None
    since: date | None = None
    until: date | None = None
    gsd: tuple[float | None, float | None] | None = None
    where: str | None = None
    shares: Shares | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.where is not None:
            object.__setattr__(self, "shares", Shares.parse(self.where))
        for name, moment in (("since", self.since), ("until", self.until)):
            if isinstance(moment, datetime) and moment.tzinfo is None:
                raise InputError(f"{name} {moment} has no time zone; add one, for instance {moment}+00:00")
        start, end = self.period
        if start and end and start > end:
            raise InputError(f"since {self.since} is later than until {self.until}, so nothing can match; swap them")
        finest, coarsest = self.gsd or (None, None)
        if any(side is not None and not side > 0 for side in (finest, coarsest)):
            raise InputError(f"gsd {finest}..{coarsest} is not in metres; give positive numbers, for instance 0.3..10")
        if finest is not None and coarsest is not None and finest > coarsest:
            raise InputError(f"gsd {finest:g} is coarser than {coarsest:g}, so nothing can match; swap them")

    @property
    def period(self) -> tuple[datetime | None, datetime | None]:
        """First and last moment, both included, UTC."""
        return _moment(self.since, time.min), _moment(self.until, time.max)

    @property
    def area(self) -> Region | None:
        """The region, a box made into one."""
        return Region.from_bbox(self.region) if isinstance(self.region, BBox) else self.region

    def passing(self, tiles: TileColumns, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return those of `rows` that meet every condition: what decides, wherever the tiles are read from.

        Raises:
            InputError: the filter names a land-cover class that no tile has.
        """
        if self.category is not None:
            rows = rows[tiles.in_category(self.category, rows)]
        start, end = self.period
        if start or end:
            times = tiles.times(rows)
            keep = times != NO_TIME
            keep &= times >= _microseconds(start) if start else True
            keep &= times <= _microseconds(end) if end else True
            rows = rows[keep]
        finest, coarsest = self.gsd or (None, None)
        if finest is not None:
            rows = rows[tiles.gsds(rows) >= np.float32(finest)]
        if coarsest is not None:
            rows = rows[tiles.gsds(rows) <= np.float32(coarsest)]
        if self.shares is not None:
            labels = self.shares.labels(tiles.labels())
            rows = covered = rows[tiles.have_land_cover(rows)]
            rows = rows[self.shares.holds(lambda name: tiles.share(labels[name], covered))]
        if self.area is not None:
            candidates = rows
            within = inside(self.area, tiles.extents_of(rows), lambda some: tiles.footprints(candidates[some]))
            rows = rows[within]
        return rows

    def prefilter(self, max_tile_extent: Callable[[], tuple[float, float, float]]) -> pc.Expression | None:
        """Make an expression that lets through every matching tile and, of the others, only some near the region.

        No SQL text is made, so nothing that a user wrote is ever parsed.

        Args:
            max_tile_extent: of `Snapshot`, read only if there is a region.
        """
        import pyarrow as pa
        from pyarrow.compute import field as column

        terms = []
        if self.area is not None:
            width, height, east = max_tile_extent()
            near = []
            for west, south, right, north in boxes(self.area, east):
                near.append(
                    # The lower bounds of xmin and ymin say nothing new: they let an index on these two find the box.
                    (column("xmin") >= west - width)
                    & (column("xmin") <= right)
                    & (column("ymin") >= south - height)
                    & (column("ymin") <= north)
                    & (column("xmax") >= west)
                    & (column("ymax") >= south)
                )
            terms.append(reduce(or_, near))
        if self.category is not None:
            terms.append(column("category") == self.category)
        start, end = self.period
        if start:
            terms.append(column("datetime") >= pa.scalar(start, pa.timestamp("us", "UTC")))
        if end:
            terms.append(column("datetime") <= pa.scalar(end, pa.timestamp("us", "UTC")))
        finest, coarsest = self.gsd or (None, None)
        if finest is not None:
            terms.append(column("gsd") >= pa.scalar(finest, pa.float32()))
        if coarsest is not None:
            terms.append(column("gsd") <= pa.scalar(coarsest, pa.float32()))
        return reduce(and_, terms) if terms else None


def boxes(region: Region, east: float) -> list[tuple[float, float, float, float]]:
    """Boxes (west, south, east, north) that hold a region, comparable with unwrapped extents.

    A tile that crosses the antimeridian keeps its place by `xmin` and reaches beyond 180, so what lies at -179 may be
    found at 181: each box is tried there as well if any tile reaches that far.

    Args:
        region: what is asked for.
        east: the largest `xmax` of all tiles.
    """
    parts = [(box.west, box.south, box.east, box.north) for box in region.boxes()]
    if len(parts) > MAX_BOXES:
        west, south, right, north = zip(*parts, strict=True)
        parts = [(min(west), min(south), max(right), max(north))]
    beyond = [(w + 360, s, e + 360, n) for w, s, e, n in parts if w + 360 <= east]
    return parts + beyond


def inside(
    region: Region,
    extents: NDArray[np.float64],
    geometry: Callable[[NDArray[np.intp]], NDArray[np.object_]],
) -> NDArray[np.bool_]:
    """Which tiles share at least a point with a region, exactly.

    A tile lies within its extent. So an extent within the region settles the matter, and one apart from it too; only
    the footprints of the others, along the region's edge, are looked at.

    Args:
        region: what is asked for.
        extents: (n, 4) unwrapped extents.
        geometry: footprints of the rows with these indices.

    Returns:
        (n,) True where the footprint intersects the region.
    """
    xmin, ymin, xmax, ymax = extents.T
    crossing = xmax > 180  # rare, and not comparable with a region that is cut at 180: decided by footprint
    near, within = crossing.copy(), np.zeros(len(extents), bool)
    for west, south, east, north in boxes(region, -180.0):
        near |= (xmin <= east) & (xmax >= west) & (ymin <= north) & (ymax >= south)
    rectangles = [part.bounds for part in shapely.get_parts(region.geometry) if part.equals(shapely.box(*part.bounds))]
    for west, south, east, north in rectangles:
        within |= (xmin >= west) & (xmax <= east) & (ymin >= south) & (ymax <= north)
    if len(rectangles) < shapely.get_num_geometries(region.geometry):
        unsure = np.flatnonzero(near & ~within & ~crossing)
        if len(unsure) >= GRID_MIN_EXTENTS and shapely.area(region.geometry) > 0:
            within[unsure], apart = RegionGrid(region.geometry).classify(extents[unsure])
            near[unsure[apart]] = False
            unsure = unsure[~within[unsure] & ~apart]
        shapely.prepare(region.geometry)
        around: NDArray[np.object_] = np.asarray(shapely.box(*extents[unsure].T), dtype=object)
        clear = shapely.contains_properly(region.geometry, around)
        within[unsure] = clear
        near[unsure[~clear]] = shapely.intersects(region.geometry, around[~clear])
    within &= ~crossing
    unsure = np.flatnonzero(near & ~within)
    if len(unsure):
        within[unsure] = region.intersects(geometry(unsure))
    return within


def _moment(value: date | None, at: time) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.combine(value, at, UTC)


def _microseconds(moment: datetime) -> int:
    return int(np.datetime64(moment.replace(tzinfo=None), "us").astype(np.int64))


EVERY_TILE = Filter()
"""The filter without conditions."""
