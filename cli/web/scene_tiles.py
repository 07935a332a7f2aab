"""The scenes of the store, open to be read as tiles of the map by several threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geocmer.errors import InputError

from .workspace import Recent, Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geocmer.store.scene_row import SceneRow

OPEN_SCENES = 16
MAX_ZOOM = 30


@dataclass
class OpenScene:
    """A scene, and the lock of whoever reads it: a handle belongs to one thread at a time.

    It is closed as the last reader lets go of it. Who dropped it cannot: another thread may be about to read.
    """

    scene: Any
    row: SceneRow
    lock: threading.Lock


class SceneTiles:
    """Reads map tiles of the store's scenes.

    Args:
        workspace: whose store it is.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._rows: dict[str, SceneRow] = {}
        self._open: Recent[OpenScene] = Recent(OPEN_SCENES)
        self._opening = threading.Lock()

    def read(self, scene_id: str, grid: str, z: int, x: int, y: int) -> NDArray[Any]:
        """Read a tile as RGBA (256, 256, 4), clear where the scene has no data.

        Raises:
            InputError: there is no such scene, grid or tile, or the scene is gone or has changed.
        """
        from geocmer.imagery.map_tile import GRIDS, map_tile

        if grid not in GRIDS or not 0 <= z <= MAX_ZOOM or not 0 <= y < 2**z:
            raise InputError(f"there is no map tile {grid}/{z}/{x}/{y}")
        opened = self._opened(scene_id)
        with opened.lock:
            return map_tile(opened.scene, opened.row.stretch, GRIDS[grid], z, x, y)

    def _opened(self, scene_id: str) -> OpenScene:
        from geocmer.store.tile_images import open_scene

        with self._opening:
            found = self._open.get(scene_id)
            if found is None:
                row = self._row(scene_id)
                found = OpenScene(open_scene(row), row, threading.Lock())
                self._open.put(scene_id, found)
        return found

    def _row(self, scene_id: str) -> SceneRow:
        if scene_id not in self._rows:
            self._rows = {row.id: row for row in self._workspace.collection.store.scenes()}
        if scene_id not in self._rows:
            raise InputError(f"there is no scene {scene_id[:32]}")
        return self._rows[scene_id]
