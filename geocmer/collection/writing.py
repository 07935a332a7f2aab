"""Writing: tiles into files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..store.filter import Filter
from .opening import Opening


class Writing(Opening):
    """How a `Collection` is written to files."""

    def export(
        self, path: str | Path, *, filter: Filter | None = None, thumbnails: bool = False, style: bool = False,
        **conditions: Any,
    ) -> int:  # fmt: skip
        """Write the footprints of all tiles, or of those that meet some conditions; return how many there are.

        Args:
            path: its suffix tells the format, see `geocmer.export.write`.
            filter: conditions on the tiles.
            **conditions: or the same by name.
            thumbnails: write the pictures too.
            style: write a QGIS style beside the file.

        Raises:
            InputError: a condition cannot be read, or the file cannot be written.
        """
        from ..export.writer import write
        from ..search.vector_search import iter_tiles

        chosen = self._filter(filter, conditions)
        tiles = iter_tiles(self.store, chosen)
        return write(tiles, path, title=self.path, source=self.store.snapshot(), thumbnails=thumbnails, style=style)
