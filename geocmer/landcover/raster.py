"""A land-cover raster, read by nearest neighbour under the tiles of a scene.

The pixels of a tile are brought into the layer's CRS, never the layer into the scene's: a world or polar layer may have
no extent there. Interpolation would invent classes. Where the layer's pixels are smaller than the grid's, the grid is
subdivided, so that no land-cover pixel is passed over.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.session import DummySession
from rasterio.windows import Window

from .._files import Closing
from ..errors import CRSError, LandCoverError
from ..geometry.vector_file import columns_of
from ..imagery.georeference import earth_crs
from ..imagery.grid import Grid
from ..imagery.identity import content_hash
from ..imagery.scene import BLOCK_CACHE_BYTES
from ..imagery.tiling import Tile
from ..imagery.validity import Validity
from .projection import LayerProjection

MAX_SUBDIVISIONS = 16
"""Most subdivisions of a grid pixel, per axis: 1 m land cover under a 16 m scene is still read pixel by pixel."""
_MAX_CODE = 2.0**53
"""Whole numbers of floats end there; values beyond are fill that nothing declares, as 1e20."""


def _no_raster(path: Path) -> str:
    """Say that a file is no raster, and which column may hold the class if it is a vector file."""
    columns = columns_of(path)
    if not columns:
        return f"land cover {path} is not a raster; for a vector file name its --class-column"
    return f"land cover {path} is a vector file; name with --class-column which holds the class: {', '.join(columns)}"


class CoverRaster(Closing):
    """Codes of a raster on the tile grid.

    Attributes:
        crs: of the raster.
        transform: from its pixels to that.
        factor: parts of a grid pixel that are read, per axis; set by `fit`, and may be raised after it.
    """

    def __init__(self, path: Path, band: int) -> None:
        try:
            self._dataset = rasterio.open(path)
        except RasterioError as error:
            raise LandCoverError(_no_raster(path)) from error
        dataset, self._path, self._band = self._dataset, path, band
        if dataset.crs is None:
            raise CRSError(f"land cover {path} has no CRS; assign one with: rio edit-info --crs EPSG:CODE {path.name}")
        self.crs = earth_crs(dataset.crs, f"land cover {path}")
        if dataset.transform.is_identity:
            raise CRSError(f"land cover {path} has no geotransform, so its place is unknown; warp it with gdalwarp")
        if not 1 <= band <= dataset.count:
            raise LandCoverError(f"land cover {path} has no band {band}, only 1 to {dataset.count}")
        self.transform, self.width, self.height = dataset.transform, dataset.width, dataset.height
        alpha = [i + 1 for i, c in enumerate(dataset.colorinterp) if c == ColorInterp.alpha and i + 1 != band]
        self._validity = Validity(dataset, [band], alpha, None)
        self._projection: LayerProjection | None = None
        self.factor = 1

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    @property
    def hash(self) -> str:
        """Hash the content of all files of the layer."""
        return content_hash(self._path, self._dataset)

    def fit(self, grid: Grid) -> bool:
        """Prepare for the tiles of a grid, and say whether the layer lies under any of it."""
        projection = self._projection = LayerProjection(grid, self.crs, self.transform)
        self.factor = self._subdivisions(grid, projection)
        columns, rows = projection.positions(0, 0, grid.height, grid.width, 65, 65)
        columns = columns - self._turns(columns) * projection.turn
        finite = np.isfinite(columns) & np.isfinite(rows)
        if not finite.any():
            return False
        # A layer much smaller than the scene may lie between the points: their boxes are compared.
        return bool(
            columns[finite].max() >= 0 and columns[finite].min() <= self.width
            and rows[finite].max() >= 0 and rows[finite].min() <= self.height
        )  # fmt: skip

    def codes(self, tile: Tile) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read the codes (side, side) under a tile, and where they are known; side is a multiple of the tile's size."""
        projection, side = self._projection, tile.size * self.factor
        assert projection is not None, "fit() comes first"
        columns, rows = projection.positions(tile.row, tile.col, tile.size, tile.size, side, side)
        codes, known = np.zeros((side, side), self._dataset.dtypes[self._band - 1]), np.zeros((side, side), bool)
        turns = self._turns(columns)
        for turn in np.unique(turns[np.isfinite(turns)]):
            shifted = columns - turn * projection.turn if turn else columns
            with np.errstate(invalid="ignore"):
                inside = (
                    (turns == turn) & (shifted >= 0) & (shifted < self.width)
                    & (rows >= 0) & (rows < self.height)
                )  # fmt: skip
            if inside.any():
                at = rows[inside].astype(np.int64), shifted[inside].astype(np.int64)
                codes[inside], known[inside] = self._read(*at)
        if codes.dtype.kind == "f":
            fractional = codes[known & (codes != np.round(codes))]
            if fractional.size:
                raise LandCoverError(
                    f"land cover {self._path} has fractional code {fractional[0]:g}; it is no class map"
                )
            beyond = codes[known & (np.abs(codes) > _MAX_CODE)]
            if beyond.size:
                raise LandCoverError(
                    f"land cover {self._path} has the value {beyond[0]:g}, which is no code; if it means no data, "
                    f"declare it: gdal_edit.py -a_nodata {float(beyond[0])!r} {self._path.name}"
                )
            codes = np.where(known, codes, 0).astype(np.int64)
        return codes, known

    def _read(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read pixels (n,) of the layer, and whether they hold data."""
        top, left = int(rows.min()), int(columns.min())
        window = Window(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
        try:
            # GDAL's own block cache is a twentieth of the memory, which is a gigabyte and more
            with rasterio.Env(session=DummySession(), GDAL_CACHEMAX=BLOCK_CACHE_BYTES):
                data = self._dataset.read([self._band], window=window)
                valid = self._validity.read(data, window, None, Resampling.nearest)
        except RasterioError as error:
            raise LandCoverError(f"land cover {self._path} cannot be read at {window}; the file is damaged") from error
        return data[0][rows - top, columns - left], valid[rows - top, columns - left]

    def _turns(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Count the turns around the Earth that columns (n,) are beyond the layer's first: 190 and -170 are one."""
        turn = self._projection.turn if self._projection else 0.0
        return np.floor(columns / turn) if turn else np.zeros_like(columns)

    def _subdivisions(self, grid: Grid, projection: LayerProjection) -> int:
        """Count the parts per axis that make grid pixels no larger than the land cover's, at the centre of the grid."""
        columns, rows = projection.positions(grid.height // 2, grid.width // 2, 1, 1, 2, 2)
        steps = [
            (columns[0, 1] - columns[0, 0], rows[0, 1] - rows[0, 0]),
            (columns[1, 0] - columns[0, 0], rows[1, 0] - rows[0, 0]),
        ]
        across = max(2 * math.hypot(*step) for step in steps)  # the two points of an axis lie half a pixel apart
        return 1 if not math.isfinite(across) else min(MAX_SUBDIVISIONS, max(1, math.ceil(across - 1e-3)))
