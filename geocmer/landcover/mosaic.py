"""Land-cover rasters as one layer, as land cover of continents and countries is handed out: a file for each square.

They may differ in CRS and in pixel size. A scene is laid over those that are under it, a tile takes its codes from
those that are under the tile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from ..errors import CRSError, LandCoverError
from ..geometry.footprint import footprint
from ..imagery.grid import Grid
from ..imagery.tiling import Tile
from .raster import CoverRaster

_HEAD_BYTES = 65536
"""Of a file: in a GeoTIFF they say where each block lies and how long it is, so they change with the content."""
_MARGIN_DEGREES = 0.05
"""Around the box of an outline, whose edges are curved between its points."""


class CoverMosaic:
    """Codes of several rasters on the tile grid; where they overlap, the first that has a code counts.

    Args:
        paths: of the rasters.
        band: of each.
        blank: codes that mean no data.
    """

    def __init__(self, paths: Sequence[Path], band: int, blank: frozenset[int] = frozenset()) -> None:
        self._paths, self._band, self._blank = list(paths), band, blank
        boxes: list[Any] = []
        owners: list[int] = []
        for number, path in enumerate(self._paths):
            raster = CoverRaster(path, band)
            for box in _boxes(_outline(raster)):
                boxes.append(box)
                owners.append(number)
            raster.close()
        self._tree, self._owners = shapely.STRtree(boxes), np.array(owners, np.intp)
        self._under: dict[int, CoverRaster] = {}

    @property
    def hash(self) -> str:
        """Hash names, sizes and beginnings of all files: a continent is too much to read for each run."""
        digest = hashlib.blake2b(digest_size=16)
        for path in self._paths:
            with path.open("rb") as file:
                digest.update(repr((path.name, path.stat().st_size)).encode() + file.read(_HEAD_BYTES))
        return digest.hexdigest()

    def fit(self, grid: Grid) -> bool:
        """Open what lies under a grid, at the resolution of the finest, and say whether anything does."""
        try:
            outline: Polygon | MultiPolygon | None = footprint(grid.transform, grid.width, grid.height, grid.crs)
        except CRSError:
            outline = None
        near = self._near(outline)
        for number in set(self._under) - set(near):
            self._under.pop(number).close()
        for number in near:
            raster = self._under.get(number) or CoverRaster(self._paths[number], self._band)
            if raster.fit(grid):
                self._under[number] = raster
            else:
                self._under.pop(number, None)
                raster.close()
        finest = max((raster.factor for raster in self._under.values()), default=1)
        for raster in self._under.values():
            raster.factor = finest
        return bool(self._under)

    def codes(self, tile: Tile) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read the codes (side, side) under a tile, and where they are known; side is a multiple of the tile's size."""
        factor = next(iter(self._under.values())).factor
        codes: NDArray[Any] = np.zeros((tile.size * factor,) * 2, np.uint8)
        known = np.zeros(codes.shape, bool)
        for number in self._near(tile.footprint):
            raster = self._under.get(number)
            if raster is None or known.all():
                continue
            found, has_code = raster.codes(tile)
            if self._blank:
                has_code &= ~np.isin(found, list(self._blank))
            codes, known = np.where(has_code & ~known, found, codes), known | has_code
        return codes, known

    def _near(self, outline: Polygon | MultiPolygon | None) -> list[int]:
        """List the rasters that may lie under an outline in WGS84, in their order; all for one that has no outline."""
        if outline is None:
            return list(range(len(self._paths)))
        found = self._tree.query(outline)
        return np.unique(self._owners[found]).tolist()


def shared_legend(paths: Sequence[Path], legends: Sequence[Any]) -> Any:
    """Give the legend that all rasters have.

    Raises:
        LandCoverError: two of them differ.
    """
    for path, legend in zip(paths, legends, strict=True):
        if legend.classes != legends[0].classes:
            raise LandCoverError(
                f"land cover {paths[0].name} and {path.name} name their classes differently; give one --legend for all"
            )
    return legends[0]


def _outline(raster: CoverRaster) -> Polygon | MultiPolygon | None:
    """Outline a raster in WGS84; None where that cannot be, as for a map of the world with corners off the Earth."""
    try:
        outline = footprint(raster.transform, raster.width, raster.height, raster.crs)
    except CRSError:
        return None
    return None if outline.is_empty else outline


def _boxes(outline: Polygon | MultiPolygon | None) -> list[Any]:
    """Give a box around each part of an outline, or one around the Earth."""
    if outline is None:
        return [shapely.box(-180, -90, 180, 90)]
    bounds = shapely.bounds(shapely.get_parts(outline)) + np.array([-1, -1, 1, 1]) * _MARGIN_DEGREES
    boxes: NDArray[np.object_] = shapely.box(bounds[:, 0], bounds[:, 1], bounds[:, 2], bounds[:, 3])
    return list(boxes)
