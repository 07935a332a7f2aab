"""A land-cover raster, resampled on the grid of the tiles.

A raster is brought onto the grid by nearest neighbour, never by interpolation, which would invent classes. Where its
pixels are smaller than the grid's, the grid is subdivided, so that no land-cover pixel is passed over.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from ..errors import CRSError, LandCoverError
from ..imagery.grid import Grid
from ..imagery.tiling import Tile

MAX_SUBDIVISIONS = 16
"""Most subdivisions of a grid pixel, per axis: 1 m land cover under a 16 m scene is still read pixel by pixel."""


class CoverRaster:
    """Codes of a raster on the tile grid."""

    def __init__(self, path: Path, band: int) -> None:
        try:
            self._dataset = rasterio.open(path)
        except RasterioError as error:
            raise LandCoverError(
                f"land cover {path} is not a raster; for a vector file name its --class-column"
            ) from error
        self._path, self._band = path, band
        if self._dataset.crs is None:
            raise CRSError(f"land cover {path} has no CRS; assign one with: rio edit-info --crs EPSG:CODE {path.name}")
        if not 1 <= band <= self._dataset.count:
            raise LandCoverError(f"land cover {path} has no band {band}, only 1 to {self._dataset.count}")
        self._vrt: Any = None
        self._factor = 1

    def bounds(self, crs: Any) -> tuple[float, float, float, float]:
        """Give west, south, east, north in a CRS."""
        b = self._dataset.bounds
        transformer = Transformer.from_crs(self._dataset.crs, CRS.from_user_input(crs), always_xy=True)
        west, south, east, north = transformer.transform_bounds(b.left, b.bottom, b.right, b.top)
        return west, south, east, north

    def fit(self, grid: Grid) -> None:
        """Bring the raster onto a grid."""
        self._factor = self._subdivisions(grid)
        self._vrt = WarpedVRT(
            self._dataset, crs=grid.crs, transform=grid.transform @ Affine.scale(1 / self._factor),
            width=grid.width * self._factor, height=grid.height * self._factor, resampling=Resampling.nearest,
            add_alpha=self._dataset.nodata is None,
        )  # fmt: skip

    def codes(self, tile: Tile) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Read the codes (side, side) under a tile, and where they are known; side is a multiple of the tile's size."""
        f, side = self._factor, tile.size * self._factor
        height, width = (
            min(side, limit - start * f) for limit, start in ((self._vrt.height, tile.row), (self._vrt.width, tile.col))
        )
        window = Window(tile.col * f, tile.row * f, width, height)
        data = self._vrt.read(self._band, window=window)
        mask = self._vrt.read_masks(self._band, window=window) > 0
        codes, known = np.zeros((side, side), np.int64), np.zeros((side, side), bool)
        if data.dtype.kind == "f":
            mask &= np.isfinite(data)
            fractional = data[mask & (data != np.round(data))]
            if fractional.size:
                raise LandCoverError(
                    f"land cover {self._path} has fractional code {fractional[0]:g}; it is no class map"
                )
            data = np.where(mask, data, 0)
        codes[:height, :width], known[:height, :width] = data, mask
        return codes, known

    def _subdivisions(self, grid: Grid) -> int:
        """Count the parts per axis that make grid pixels no larger than the land cover's, at the centre of the grid."""
        to_cover = Transformer.from_crs(CRS.from_user_input(grid.crs), self._dataset.crs, always_xy=True)
        column, row = grid.width / 2, grid.height / 2
        steps = [grid.transform @ at for at in ((column, row), (column + 1, row), (column, row + 1))]
        columns, rows = zip(*(~self._dataset.transform @ to_cover.transform(x, y) for x, y in steps), strict=True)
        across = max(math.hypot(columns[i] - columns[0], rows[i] - rows[0]) for i in (1, 2))
        return 1 if not math.isfinite(across) else min(MAX_SUBDIVISIONS, max(1, math.ceil(across - 1e-3)))
