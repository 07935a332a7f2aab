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

        chosen = self._filter(filter, conditions, self.export)
        tiles = iter_tiles(self.store, chosen)
        return write(tiles, path, title=self.path, source=self.store.snapshot(), thumbnails=thumbnails, style=style)

    def report(self, path: str | Path) -> None:
        """Write a page about the tiles, in one HTML file: where they lie, what they show, and how well words find it.

        Raises:
            InputError: there are no tiles, or the page cannot be written.
            StoreError: there is no store.
        """
        from ..export.report.store_report import store_report

        encoder = self._query_encoder(images=False) if self.store.encoder else None
        store_report(self.store, encoder, Path(self.path).name, self._notify).write(Path(path))
