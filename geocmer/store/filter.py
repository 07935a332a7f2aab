"""Which tiles a question is about: a coarse filter that Lance can run, and the exact decision."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.bbox import BBox
from ..geometry.region import Region
from ..imagery.times import to_utc
from .areas import inside, near
from .tile_columns import NO_TIME, TileColumns, microseconds
from .where import Condition

if TYPE_CHECKING:
    import pyarrow.compute as pc


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
        where: a condition in CQL2 text, as `built_up > 0.3 and category = 'forest'` (see `Condition`).
        scenes: ids of the scenes that a tile may be cut from.
        condition: `where`, read.

    Raises:
        InputError: conditions that contradict each other, or are not of the form described.
    """

    region: Region | BBox | None = None
    category: str | None = None
    since: date | None = None
    until: date | None = None
    gsd: tuple[float | None, float | None] | None = None
    where: str | None = None
    scenes: frozenset[str] | None = None
    condition: Condition | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.where is not None:
            object.__setattr__(self, "condition", Condition.parse(self.where))
        for name, moment in (("since", self.since), ("until", self.until)):
            if isinstance(moment, datetime) and moment.tzinfo is None:
                raise InputError(f"{name} {moment} has no time zone; add one, for instance {moment}+00:00")
        try:
            start, end = self.period
        except ValueError as error:
            raise InputError(f"{error}; give another moment") from error
        if start and end and start > end:
            raise InputError(f"since {self.since} is later than until {self.until}, so nothing can match; swap them")
        finest, coarsest = self.gsd or (None, None)
        if any(side is not None and not 0 < side < math.inf for side in (finest, coarsest)):
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

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that it asks for by name."""
        named = self.condition.categories if self.condition is not None else ()
        return (*((self.category,) if self.category is not None else ()), *named)

    def passing(self, tiles: TileColumns, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return those of `rows` (n,) that meet every condition: what decides, wherever the tiles are read from.

        Raises:
            InputError: the filter names a land-cover class that no tile has.
        """
        if self.scenes is not None:
            rows = rows[tiles.of_scenes(self.scenes, rows)]
        if self.category is not None:
            codes, names = tiles.category_codes(rows)
            rows = rows[codes == (names.index(self.category) if self.category in names else -1)]
        start, end = self.period
        if start or end:
            times = tiles.times(rows)
            keep = times != NO_TIME
            keep &= times >= microseconds(start) if start else True
            keep &= times <= microseconds(end) if end else True
            rows = rows[keep]
        finest, coarsest = self.gsd or (None, None)
        if finest is not None:
            rows = rows[tiles.gsds(rows) >= np.float32(finest)]
        if coarsest is not None:
            rows = rows[tiles.gsds(rows) <= np.float32(coarsest)]
        if self.condition is not None:
            rows = rows[self.condition.holds(tiles, rows)]
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
            terms.append(near(self.area, max_tile_extent))
        if self.condition is not None and (coarse := self.condition.prefilter(max_tile_extent)) is not None:
            terms.append(coarse)
        if self.scenes is not None:
            terms.append(column("scene_id").isin(sorted(self.scenes)))
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


def _moment(value: date | None, at: time) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return to_utc(value)
    return datetime.combine(value, at, UTC)


EVERY_TILE = Filter()
"""The filter without conditions."""
