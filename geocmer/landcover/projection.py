"""From the pixels of a scene's grid to the pixels of a layer in another CRS."""

from __future__ import annotations

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from ..imagery.grid import Grid

_AXIS_NODES = (9, 33)
"""Points per axis that are projected exactly; those between are interpolated where that is good enough."""
MAX_ERROR_PIXELS = 0.05
"""Of the layer: what interpolation may shift a pixel by. Beyond it every pixel is projected by itself."""


class LayerProjection:
    """Gives the layer's (column, row) under any pixel of a grid.

    Args:
        grid: of the scene.
        crs: of the layer.
        transform: of the layer, from pixel (column, row) to its CRS.

    Attributes:
        turn: columns of the layer that go once around the Earth; 0 where its CRS is not in degrees.
    """

    def __init__(self, grid: Grid, crs: CRS, transform: Affine) -> None:
        self._grid, self._to_pixel = grid, ~transform
        self._transformer = None if grid.crs == crs else Transformer.from_crs(grid.crs, crs, always_xy=True)
        straight = crs.is_geographic and transform.b == 0 == transform.d
        unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else np.pi / 180
        self.turn = abs(2 * np.pi / unit / transform.a) if straight else 0.0

    def positions(
        self, row: float, col: float, height: float, width: float, down: int, across: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project the centres of `down` times `across` equal parts of a window.

        Args:
            row: first grid pixel of the window from the top.
            col: first from the left.
            height: grid rows of the window.
            width: grid columns.
            down: parts of the height.
            across: parts of the width.

        Returns:
            Columns and rows of the layer (down, across); not finite where they have no place in its CRS.
        """
        parts_u, parts_v = np.arange(across, dtype=np.float64), np.arange(down, dtype=np.float64)
        y = row + np.float64(height / down) * (parts_v + 0.5)
        x = col + np.float64(width / across) * (parts_u + 0.5)
        if self._transformer is None:  # no projection, and nothing to save
            return self._project(x, y)
        for nodes in _AXIS_NODES:
            if min(down, across) < 2 * nodes:
                break
            u, v = np.linspace(0, across - 1, nodes), np.linspace(0, down - 1, nodes)
            exact = self._project(np.interp(u, parts_u, x), np.interp(v, parts_v, y))
            middle_u, middle_v = (u[1:] + u[:-1]) / 2, (v[1:] + v[:-1]) / 2
            check = self._project(np.interp(middle_u, parts_u, x), np.interp(middle_v, parts_v, y))
            guess = [_interpolate(part, u, v, middle_u, middle_v) for part in exact]
            if all(np.abs(g - c).max() <= MAX_ERROR_PIXELS for g, c in zip(guess, check, strict=True)):
                columns, rows = (_interpolate(part, u, v, parts_u, parts_v) for part in exact)
                return columns, rows
        return self._project(x, y)

    def _project(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project every crossing of grid columns (n,) and grid rows (m,): layer columns and rows, each (m, n)."""
        columns, rows = np.meshgrid(x, y)
        a, b, c, d, e, f = self._grid.transform[:6]
        east, north = a * columns + b * rows + c, d * columns + e * rows + f
        if self._transformer is not None:
            east, north = self._transformer.transform(east, north)
        a, b, c, d, e, f = self._to_pixel[:6]
        with np.errstate(invalid="ignore"):
            found, down = a * east + b * north + c, d * east + e * north + f
        if self.turn:  # longitudes of one window are made to run on over 180 degrees
            finite = found[np.isfinite(found)]
            if finite.size:
                found = found - self.turn * np.round((found - np.median(finite)) / self.turn)
        return found, down


def _interpolate(
    values: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64], to_u: NDArray[np.float64],
    to_v: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Interpolate values (m, n) at v (m,) and u (n,) linearly, first along columns, then along rows."""
    return _weights(v, to_v) @ values @ _weights(u, to_u).T


def _weights(at: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the weights (k, n) of linear interpolation from positions (n,), sorted, to others (k,) between them."""
    right = np.clip(np.searchsorted(at, to, side="right"), 1, len(at) - 1)
    share = (to - at[right - 1]) / (at[right] - at[right - 1])
    weights = np.zeros((len(to), len(at)))
    weights[np.arange(len(to)), right - 1], weights[np.arange(len(to)), right] = 1 - share, share
    return weights
