"""A scene as tiles of a web map: its colours as the store stretched them, clear where it has no data.

The two grids that map libraries know without a network: web mercator, and plain degrees for what lies about a pole,
where mercator ends. Tile (z, x, y) counts from the north-west; x may lie beyond the antimeridian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from .scene import Scene
from .stretch import Stretch

TILE_PIXELS = 256


@dataclass(frozen=True, slots=True)
class MapGrid:
    """A pyramid of square tiles.

    Attributes:
        crs: of the grid.
        west: left edge, units of the CRS.
        north: upper edge.
        side: of a tile at zoom 0.
        columns: tiles across at zoom 0.
    """

    crs: str
    west: float
    north: float
    side: float
    columns: int

    def transform(self, z: int, x: int, y: int) -> Affine:
        """Return the transform from pixel to CRS of a tile."""
        side = self.side / 2**z
        column = x % (self.columns * 2**z)
        return Affine(side / TILE_PIXELS, 0, self.west + column * side, 0, -side / TILE_PIXELS, self.north - y * side)


_HALF = 6378137.0 * np.pi
GRIDS = {
    "mercator": MapGrid("EPSG:3857", -_HALF, _HALF, 2 * _HALF, 1),
    "degrees": MapGrid("OGC:CRS84", -180.0, 90.0, 180.0, 2),
}
"""By name: OGC Two Dimensional Tile Matrix Set, `WebMercatorQuad` and `WorldCRS84Quad`."""


def map_tile(scene: Scene, stretch: Stretch, grid: MapGrid, z: int, x: int, y: int) -> NDArray[np.uint8]:
    """Read a tile of a scene.

    Args:
        scene: open, in one thread.
        stretch: of its store.
        grid: of the map.
        z: zoom.
        x: column.
        y: row.

    Returns:
        RGBA (256, 256, 4).

    Raises:
        InputError: the file cannot be read there.
    """
    data, valid = scene.read_warped(grid.crs, grid.transform(z, x, y), (TILE_PIXELS, TILE_PIXELS))
    colours = stretch.apply(data, valid)
    return np.dstack([*colours, np.where(valid, np.uint8(255), np.uint8(0))])
