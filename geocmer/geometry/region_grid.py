"""A region on a coarse grid: most of many extents lie where all is inside, or all outside, and need no geometry."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

SIDE = 48
"""Cells along each side of the region's bounds: they cost as much as 2,000 extents that are looked at one by one."""
WORTH = 4 * SIDE * SIDE
"""From so many extents on the grid pays."""
_ROUNDING = 1e-9
"""Of a cell: an extent that ends this near to a cell is taken to reach into it."""


class Cells:
    """The cells of a region that has an area, none of it beyond 180 degrees."""

    def __init__(self, region: Polygon | MultiPolygon) -> None:
        west, south, east, north = region.bounds
        self._west, self._south = west, south
        self._across, self._up = (east - west) / SIDE, (north - south) / SIDE
        x, y = west + self._across * np.arange(SIDE + 1), south + self._up * np.arange(SIDE + 1)
        x0, y0 = np.meshgrid(x[:-1], y[:-1], indexing="ij")
        x1, y1 = np.meshgrid(x[1:], y[1:], indexing="ij")
        boxes = shapely.box(x0, y0, x1, y1)
        shapely.prepare(region)
        inside = np.asarray(shapely.contains_properly(region, boxes))
        touched = np.asarray(shapely.intersects(region, boxes))
        self._not_inside, self._touched = _sums(~inside), _sums(touched)

    def settle(self, extents: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Of (n, 4) extents: which surely lie within the region, and which apart from it; others may be either."""
        left, right = (self._column(extents[:, side], sign) for side, sign in ((0, -1), (2, 1)))
        low, high = (self._row(extents[:, side], sign) for side, sign in ((1, -1), (3, 1)))
        bounded = (left >= 0) & (right < SIDE) & (low >= 0) & (high < SIDE)
        span = [np.clip(edge, 0, SIDE) for edge in (left, low, right + 1, high + 1)]
        return bounded & (_within(self._not_inside, *span) == 0), _within(self._touched, *span) == 0

    def _column(self, x: NDArray[np.float64], sign: int) -> NDArray[np.intp]:
        columns: NDArray[np.intp] = np.floor((x - self._west) / self._across + sign * _ROUNDING).astype(np.intp)
        return columns

    def _row(self, y: NDArray[np.float64], sign: int) -> NDArray[np.intp]:
        rows: NDArray[np.intp] = np.floor((y - self._south) / self._up + sign * _ROUNDING).astype(np.intp)
        return rows


def _sums(cells: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many cells before each corner are True, so that four numbers tell of any rectangle (Crow 1984)."""
    sums: NDArray[np.int64] = np.pad(cells.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return sums


def _within(
    sums: NDArray[np.int64],
    left: NDArray[np.intp],
    low: NDArray[np.intp],
    right: NDArray[np.intp],
    high: NDArray[np.intp],
) -> NDArray[np.int64]:
    counted: NDArray[np.int64] = sums[right, high] - sums[left, high] - sums[right, low] + sums[left, low]
    return counted
