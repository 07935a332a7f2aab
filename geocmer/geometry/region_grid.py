"""A region on a coarse grid: most of many extents lie where all is inside, or all outside, and need no geometry."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

SIDE_CELLS = 48
"""Cells along each side of the region's bounds: they cost as much as 2,000 extents that are looked at one by one."""
GRID_MIN_EXTENTS = 4 * SIDE_CELLS * SIDE_CELLS
"""Extents from which on the grid pays."""
_ROUNDING = 1e-9
"""Share of a cell: an extent that ends this near to a cell is taken to reach into it."""


class RegionGrid:
    """The cells of a region that has an area, none of it beyond 180 degrees."""

    def __init__(self, region: Polygon | MultiPolygon) -> None:
        west, south, east, north = region.bounds
        self._west, self._south = west, south
        self._cell_width, self._cell_height = (east - west) / SIDE_CELLS, (north - south) / SIDE_CELLS
        edges = np.arange(SIDE_CELLS + 1)
        x, y = west + self._cell_width * edges, south + self._cell_height * edges
        x0, y0 = np.meshgrid(x[:-1], y[:-1], indexing="ij")
        x1, y1 = np.meshgrid(x[1:], y[1:], indexing="ij")
        cells = shapely.box(x0, y0, x1, y1)
        shapely.prepare(region)
        inside = np.asarray(shapely.contains_properly(region, cells))
        touched = np.asarray(shapely.intersects(region, cells))
        self._outside_counts, self._touched_counts = _summed_area_table(~inside), _summed_area_table(touched)

    def classify(self, extents: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which of (n, 4) extents surely lie within the region, and which apart from it; others may be either."""
        left, right = (self._columns(extents[:, side], sign) for side, sign in ((0, -1), (2, 1)))
        low, high = (self._rows(extents[:, side], sign) for side, sign in ((1, -1), (3, 1)))
        bounded = (left >= 0) & (right < SIDE_CELLS) & (low >= 0) & (high < SIDE_CELLS)
        window = [np.clip(edge, 0, SIDE_CELLS) for edge in (left, low, right + 1, high + 1)]
        within = bounded & (_count_cells(self._outside_counts, *window) == 0)
        return within, _count_cells(self._touched_counts, *window) == 0

    def _columns(self, x: NDArray[np.float64], sign: int) -> NDArray[np.intp]:
        columns: NDArray[np.intp] = np.floor((x - self._west) / self._cell_width + sign * _ROUNDING).astype(np.intp)
        return columns

    def _rows(self, y: NDArray[np.float64], sign: int) -> NDArray[np.intp]:
        rows: NDArray[np.intp] = np.floor((y - self._south) / self._cell_height + sign * _ROUNDING).astype(np.intp)
        return rows


def _summed_area_table(cells: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the True cells before each corner, so that four numbers tell of any rectangle (Crow 1984)."""
    table: NDArray[np.int64] = np.pad(cells.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return table


def _count_cells(
    table: NDArray[np.int64],
    left: NDArray[np.intp],
    low: NDArray[np.intp],
    right: NDArray[np.intp],
    high: NDArray[np.intp],
) -> NDArray[np.int64]:
    """Count the True cells in windows (n,) of columns left..right and rows low..high, the upper ones excluded."""
    counts: NDArray[np.int64] = table[right, high] - table[left, high] - table[right, low] + table[left, low]
    return counts
