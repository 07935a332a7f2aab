"""Land-cover polygons, rasterized on the grid of the tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.features import rasterize

from ..errors import CRSError, LandCoverError
from ..imagery.grid import Grid
from ..imagery.tiling import BLOCK_WIDTH_PIXELS, Tile
from .legend import Legend


class CoverPolygons:
    """Classes of polygons at the centres of the grid's pixels; where polygons overlap, the later one counts."""

    def __init__(self, path: Path, frame: Any, column: str) -> None:
        names = sorted(frame[column].dropna().astype(str).unique())
        self.legend = Legend.from_rows(
            f"{path.name} {column}", [{"code": i + 1, "label": n} for i, n in enumerate(names)]
        )
        self._code = {name: i + 1 for i, name in enumerate(names)}
        self._frame, self._column, self._projected = frame, column, frame
        self._grid: Any = None
        self._raster: tuple[int, int, NDArray[np.int32]] | None = None

    @classmethod
    def read(cls, path: Path, column: str) -> CoverPolygons:
        """Read the polygons of a vector file that have a class."""
        import geopandas

        try:
            frame = geopandas.read_file(path)
        except Exception as error:  # pyogrio raises its own unrelated types
            raise LandCoverError(
                f"land cover {path} is not a vector file; without --class-column it is read as a raster"
            ) from error
        if column not in frame.columns:
            columns = ", ".join(c for c in frame.columns if c != "geometry")
            raise LandCoverError(f"land cover {path} has no column {column!r}; its columns are: {columns}")
        if frame.crs is None:
            raise CRSError(f"land cover {path} has no CRS; assign one with: ogr2ogr -a_srs EPSG:CODE")
        has_shape = np.array([shape is not None and not shape.is_empty for shape in frame.geometry], bool)
        areas = frame[has_shape & frame[column].notna()]
        if areas.empty:
            raise LandCoverError(f"land cover {path} has no polygon with a class in column {column!r}")
        return cls(path, areas, column)

    def bounds(self, crs: Any) -> tuple[float, float, float, float]:
        """Give west, south, east, north in a CRS."""
        west, south, east, north = map(float, self._frame.to_crs(CRS.from_user_input(crs)).total_bounds)
        return west, south, east, north

    def fit(self, grid: Grid) -> None:
        """Bring the polygons into the CRS of a grid."""
        self._projected, self._grid, self._raster = self._frame.to_crs(CRS.from_user_input(grid.crs)), grid, None

    def codes(self, tile: Tile) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Rasterize the codes (size, size) under a tile, and where they are known.

        Tiles come row by row: one rasterization serves many, as a large polygon lies under all of them.
        """
        size, raster = tile.size, self._raster
        if (
            raster is None
            or raster[0] != tile.row
            or not raster[1] <= tile.col <= raster[1] + raster[2].shape[1] - size
        ):
            width = max(size, min(BLOCK_WIDTH_PIXELS, self._grid.width - tile.col))
            raster = self._raster = (tile.row, tile.col, self._rasterize(tile.transform, size, width))
        codes = raster[2][:, tile.col - raster[1] :][:, :size].astype(np.int64)
        return codes, codes > 0

    def _rasterize(self, transform: Affine, height: int, width: int) -> NDArray[np.int32]:
        corners = [transform @ c for c in ((0, 0), (width, 0), (0, height), (width, height))]
        xs, ys = zip(*corners, strict=True)
        box = shapely.box(min(xs), min(ys), max(xs), max(ys))
        near = self._projected.iloc[np.sort(self._projected.sindex.query(box))]
        shapes = [(g, self._code[str(name)]) for g, name in zip(near.geometry, near[self._column], strict=True)]
        if not shapes:
            return np.zeros((height, width), np.int32)
        codes: NDArray[np.int32] = rasterize(shapes, (height, width), fill=0, transform=transform, dtype="int32")
        return codes
