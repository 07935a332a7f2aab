"""Reading the pixels of stored tiles from their scenes again, exactly as they were embedded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from .._files import Closing, is_file
from ..errors import InputError
from ..geometry.footprint import to_wgs84
from ..imagery.address import SceneAddress
from ..imagery.grid import Grid
from ..imagery.images import resize_to_square
from ..imagery.scene import Scene
from ..imagery.scene_options import SceneOptions
from ..imagery.tiling import TileReader
from ..models.hole_fill import fill_holes
from .reader import Reader
from .scene_row import SceneRow


class TileImageReader(Closing):
    """Reads the pixels of tiles of complete scenes, which are opened when they are needed; the last one stays open.

    Args:
        store: that the tiles are in.
    """

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._open: tuple[str, Scene, TileReader] | None = None

    def close(self) -> None:
        """Release the open scene."""
        if self._open:
            self._open[1].close()
        self._open = None

    def pixels(self, scene: str, row: int, col: int) -> NDArray[np.uint8]:
        """Read the pixels (size, size, 3) of a tile; see `window`."""
        return self.window(scene, row, col)[0]

    def window(self, scene: str, row: int, col: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Read the pixels (size, size, 3) of a tile, and where they show ground (size, size).

        Args:
            scene: its id.
            row: first grid pixel from the top.
            col: first grid pixel from the left.

        Raises:
            InputError: the scene is not complete, no longer where it was, or has changed, or its record is damaged.
        """
        return self._opened(scene).window(row, col)

    def outline(self, scene: str, row: int, col: int, height: int, width: int) -> Polygon | MultiPolygon:
        """Outline a window of a scene's grid on the ground, WGS84, cut at the antimeridian; see `window`."""
        reader = self._opened(scene)
        transform = reader.grid.transform @ Affine.translation(col, row)
        return reader.scene.georeference.footprint(transform, width, height)

    def position(self, scene: str, row: float, col: float) -> tuple[float, float]:
        """Tell the longitude and latitude of a place on a scene's grid, in pixels from its upper left; see `window`."""
        reader = self._opened(scene)
        longitude, latitude = to_wgs84(reader.grid.crs).transform(*(reader.grid.transform @ (col, row)))
        return (float(longitude) + 180) % 360 - 180, float(latitude)

    def _opened(self, scene: str) -> TileReader:
        """Return the reader of a scene, opened unless it is the one that was read last."""
        if self._open is None or self._open[0] != scene:
            self.close()
            self._open = (scene, *self._reader(scene))
        return self._open[2]

    def _reader(self, name: str) -> tuple[Scene, TileReader]:
        scene = self._store.scene(name)
        if scene is None:
            file = self._store.unfinished_uris().get(name, f"scene {name[:8]}")
            again = f"run `geocmer tile` on it again, or `geocmer remove {name[:8]}`"
            raise InputError(self._store.damaged_scenes().get(name, f"{file} is not tiled to its end; {again}"))
        opened, record = open_scene(scene), scene.grid
        grid = Grid.over(opened, record.size, record.stride, record.requested_gsd)
        return opened, TileReader(opened, grid, scene.stretch)


def open_scene(row: SceneRow) -> Scene:
    """Open a stored scene to read it as its tiles were read.

    Raises:
        InputError: it is no longer where it was, or has changed.
    """
    address = SceneAddress.of(row.uri)
    if not address.remote and not is_file(address.path):
        raise InputError(
            f"scene {row.uri} is gone; put it back, tile it from its new place, or `geocmer remove {row.id[:8]}`"
        )
    options = SceneOptions(row.bands, row.grid.nodata, row.grid.gcps)
    opened = Scene.open(address, options=options, of_store=True)
    if opened.content_hash != row.content_hash:
        opened.close()
        raise InputError(
            f"scene {row.uri} has changed since it was tiled; `geocmer remove {row.id[:8]}`, then tile it again"
        )
    return opened


@dataclass(frozen=True, slots=True)
class TileImage:
    """A stored tile as an `ImageSource`."""

    reader: TileImageReader = field(repr=False)
    id: str
    scene: str
    row: int
    col: int

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """See `ImageSource.pixels`."""
        pixels, valid = self.reader.window(self.scene, self.row, self.col)
        return resize_to_square(fill_holes(pixels[None], valid[None])[0], size)

    def digest(self) -> bytes:
        """Return the tile's id: a hash of scene content, bands, grid and window."""
        return bytes.fromhex(self.id)
