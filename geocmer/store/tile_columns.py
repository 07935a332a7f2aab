"""The columns of tiles that filters read, wherever the tiles are stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NO_TIME = np.iinfo(np.int64).min
"""Stands for "no time" among microseconds."""


class TileColumns(Protocol):
    """What a filter reads of tiles; each column is read only if a condition needs it. `rows` are positions, (n,)."""

    def category_codes(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.int32], Sequence[str | None]]:
        """Return for each tile the index of its category, (n,), in the categories, of which None is one."""

    def of_scenes(self, scenes: frozenset[str], rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which tiles were cut from one of the scenes of these ids, (n,)."""

    def times(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return acquisition times, microseconds since 1970, UTC, or `NO_TIME`, (n,)."""

    def gsds(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return ground resolutions, metres, (n,)."""

    def sizes(self, rows: NDArray[np.intp]) -> NDArray[np.int32]:
        """Return edge lengths, grid pixels, (n,)."""

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
class TileView:
    """Some tiles, as a condition looks at them.

    Attributes:
        tiles: the columns.
        rows: (n,) positions in them.
        labels: class name of the condition -> the labels that it means.
    """

    tiles: TileColumns
    rows: NDArray[np.intp]
    labels: Mapping[str, frozenset[str]]
    _shares: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def share(self, name: str) -> NDArray[np.float64]:
        """Return the share of a class in each tile, (n,); NaN where there is no land cover."""
        if name not in self._shares:
            share = np.full(len(self.rows), np.nan)
            covered = self.tiles.have_land_cover(self.rows)
            share[covered] = self.tiles.share(self.labels[name], self.rows[covered])
            self._shares[name] = share
        return self._shares[name]

    def gsds(self) -> NDArray[np.float64]:
        """Return ground resolutions in metres, (n,), as they are printed: a float32 of 0.3 is 0.3."""
        values, at = np.unique(self.tiles.gsds(self.rows), return_inverse=True)
        return np.array([float(str(value)) for value in values], np.float64)[at]

    def sizes(self) -> NDArray[np.float64]:
        """Return edge lengths in grid pixels, (n,)."""
        return self.tiles.sizes(self.rows).astype(np.float64)


def microseconds(moment: datetime) -> int:
    """Count the microseconds since 1970 of a moment in UTC."""
    return int(np.datetime64(moment.replace(tzinfo=None), "us").astype(np.int64))
