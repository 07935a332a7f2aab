"""The store: a LanceDB database of tiles, their vectors and their scenes. All writing to it happens here.

Every write is one atomic commit, keyed by a tile's id, and adds nothing that is already there: an interrupted run is
completed by running it again, and two runs beside each other never double a row. The pointer to the encoder whose
vectors answer lies in the metadata of the `tiles` table: a re-embedding takes effect in one commit, once complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreError
from . import connection, lance, maintenance
from .address import store_address
from .reader import UNFINISHED_KEY, TileKey
from .scene_row import SceneRow, scenes_table
from .schema import TileRow, share_columns, tiles_schema, tiles_table
from .vector_writer import VectorWriter
from .vectors import EncoderInfo, vector_array

__all__ = ["EncoderInfo", "SceneRow", "Store", "TileKey", "TileRow"]


class Store(VectorWriter):
    """A store that exists. `Store.open`, `Store.create` and `Store.open_or_create` make one.

    One that was opened as it was earlier cannot be written.

    Attributes:
        notes: what was recovered when it was opened for writing, for the user to know.
    """

    @classmethod
    def create(cls, path: str | Path) -> Self:
        """Make an empty store in a new or empty folder.

        Raises:
            StoreError: something is there already, or nothing can be written there.
        """
        path = store_address(path)
        if connection.is_local(path) and Path(path).is_dir() and any(Path(path).iterdir()):
            raise StoreError(f"{path} exists already; open it, or name a new folder")
        return cls.open_or_create(path)

    @classmethod
    def open_or_create(cls, path: str | Path) -> Self:
        """Open a store to write to it: make it where there is none, complete and recover it where it was interrupted.

        Raises:
            StoreError: `path` holds something else or a store of another schema, or nothing can be written there.
        """
        path = store_address(path)
        lance.create_tables(path)
        return cls.open_recovered(path)

    @classmethod
    def open_recovered(cls, path: str | Path) -> Self:
        """Open a store at its newest whole version, and step back to it if the newest one was damaged.

        Raises:
            StoreError: there is none at `path`, or no version of it is whole.
        """
        path = store_address(path)
        recovered = lance.recover(path)
        store = cls(path)
        store.notes += recovered
        return store

    def add_tiles(
        self,
        rows: Sequence[TileRow],
        vectors: NDArray[np.floating[Any]] | None = None,
        encoder: EncoderInfo | None = None,
    ) -> int:
        """Add tiles that the store lacks; those that it has stay as they are.

        Args:
            rows: tiles; of two with the same id the first counts.
            vectors: (n, dim) unit vectors, or None to embed later.
            encoder: that made the vectors; None: the one whose vectors answer now. They are written as this encoder's
                or not at all, whatever another process makes of the store meanwhile.

        Returns:
            How many were new.

        Raises:
            FingerprintError: the store takes no vectors of the encoder, or not any more.
            StoreError: the store cannot be written.
        """
        if not rows:
            return 0
        first = np.unique([row.id for row in rows], return_index=True)[1]
        info = None
        if vectors is not None:
            info = encoder or self.encoder
            if info is None:
                raise ValueError("call add_encoder(encoder) before adding vectors")
        column = vector_array(vectors, info) if vectors is not None and info is not None else None
        table = tiles_table(rows, column, info)
        if len(first) < len(rows):
            table = table.take(np.sort(first))
        return self._upsert_vectors(table, info, insert=True)

    def append_tiles(self, tables: Iterable[Any]) -> None:
        """Add tiles that the store is known to lack, in one commit and as they come: nothing is added if one fails.

        Args:
            tables: Arrow tables as `schema.tiles_table` makes them.

        Raises:
            FingerprintError: the store takes no vectors of the encoder, or not any more.
            StoreError: the store cannot be written.
        """
        self._require_newest()
        lance.append(self.path, "tiles", tables, self._whole["tiles"])

    def set_categories(
        self,
        ids: Sequence[str],
        categories: Sequence[str | None],
        fractions: Sequence[Mapping[str, float] | None],
        captions: Sequence[Sequence[str] | None],
    ) -> None:
        """Replace category, class fractions and captions of stored tiles; other ids are ignored."""
        import pyarrow as pa

        columns = [
            list(ids),
            list(categories),
            *share_columns(fractions),
            list(captions),
        ]
        schema = pa.schema([tiles_schema().field(n) for n in ("id", "category", "labels", "fractions", "captions")])
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=schema)
        self._upsert("tiles", table, update=True)

    def add_scene(self, row: SceneRow) -> None:
        """Record a scene; see `add_scenes`."""
        self.add_scenes([row])

    def add_scenes(self, rows: Sequence[SceneRow]) -> None:
        """Record scenes in one commit, to be called after their last tiles; one of the same id is replaced.

        Their tiles are on the disk before they are recorded, and they are when this returns.
        """
        self._sync()
        table = scenes_table(rows)
        with connection.translate_errors(self.path, "write"):
            scenes = self._newest("scenes")
            lacking = [field for field in table.schema if field.name not in scenes.schema.names]
            if lacking:  # the store was made before there were these columns
                scenes.add_columns(lacking)
        self._upsert("scenes", table, insert=True, update=True)
        self._sync()
        begun = self._begun_uris()
        ended: dict[str, str | None] = {UNFINISHED_KEY + row.id: None for row in rows if row.id in begun}
        if ended:
            lance.set_metadata(self.path, "scenes", ended)

    def recover(self, read_all: bool = False) -> None:
        """Step back to a whole version, if the newest one was damaged; `notes` says so.

        Args:
            read_all: compare checksums too, for which every file is read.

        Raises:
            StoreError: no version is whole.
        """
        self._require_newest()
        self.notes += lance.recover(self.path, read_all)
        self._datasets, self._snapshot = lance.open_tables(self.path), None

    def begin_scene(self, scene_id: str, uri: str) -> None:
        """Note the file of a scene before its first tile, so that it has a name while it is unfinished."""
        if not self.scene(scene_id) and self._begun_uris().get(scene_id) != uri:
            lance.set_metadata(self.path, "scenes", {UNFINISHED_KEY + scene_id: uri})

    def remove_scene(self, scene_id: str) -> int:
        """Remove a scene and its tiles; an interrupted removal is completed by another.

        Windows that another stride over the same pixels has too are the same tiles. So scenes that differ in stride
        alone are unfinished after it, and complete when they are tiled again.

        Returns:
            How many tiles were removed.

        Raises:
            StoreError: the store cannot be written.
        """
        from pyarrow.compute import field

        self._require_newest()
        scene = self.scene(scene_id)
        sharing = [other for other in self.scenes_of(scene.uri) if other.shares_tiles(scene)] if scene else []
        with connection.translate_errors(self.path, "write"):
            if sharing:
                lance.set_metadata(self.path, "scenes", {UNFINISHED_KEY + other.id: other.uri for other in sharing})
            for not_whole in (*(other.id for other in sharing), scene_id):  # first: they are not whole any more
                lance.delete(self.path, "scenes", field("id") == not_whole)
            before = self.count()
            lance.delete(self.path, "tiles", field("scene_id") == scene_id)
            if scene_id in self._begun_uris():
                lance.set_metadata(self.path, "scenes", {UNFINISHED_KEY + scene_id: None})
        return before - self.count()

    def upkeep(self) -> None:
        """Keep the store small and quick: to be called after a bulk of writes, and cheap if there were none."""
        self._require_newest()
        self._drop_dead_vectors()
        ended = self._begun_uris().keys() - self.unfinished_uris().keys()
        if ended:
            lance.set_metadata(self.path, "scenes", {UNFINISHED_KEY + name: None for name in ended})
        self._snapshot = None  # and with it the lease of a version that is read by nobody else
        for name in lance.TABLES:
            maintenance.compact(self.path, name)
        for name, behind in self.unindexed().items():
            if behind is None:
                with connection.translate_errors(self.path, "write"):
                    self._newest("tiles").create_scalar_index(name, "BTREE")

    def clean_orphans(self) -> None:
        """Remove files of writes that were never committed and are a week old, so that no writer is at them."""
        self._require_newest()
        for name in lance.TABLES:
            maintenance.clean_orphans(self.path, name)

    def remove_duplicates(self, rows: Sequence[tuple[str, int]]) -> None:
        """Remove rows, each given as (id, row id), whose id another row has too.

        A row goes only if both still agree, so that one row of each id is left whatever happened meanwhile.
        """
        self._require_newest()
        texts = [(name.replace("'", "''"), row) for name, row in rows]
        for start in range(0, len(texts), 500):  # as text: pylance takes no expression with a row id
            pairs = [f"(id = '{name}' AND _rowid = {row})" for name, row in texts[start:][:500]]
            lance.delete(self.path, "tiles", " OR ".join(pairs))

    def index_vectors(self) -> str:
        """Make, or make anew, the approximate index of the vectors that answer (see `ivf`). Returns their column."""
        column = self.snapshot().require_encoder().column
        with connection.translate_errors(self.path, "write"):
            self._newest("tiles").create_index(column, "IVF_RQ", metric="dot", replace=True)
        return column

    def set_metadata(self, key: str, text: str) -> None:
        """Set a value in the metadata of the tiles."""
        with connection.translate_errors(self.path, "write"):
            self._require_newest()
            lance.set_metadata(self.path, "tiles", {key: text})
