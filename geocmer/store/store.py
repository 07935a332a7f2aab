"""The store: a LanceDB database of tiles, their vectors and their scenes. All writing to it happens here.

Every write is one atomic commit, keyed by a tile's id, and adds nothing that is already there: an interrupted run is
completed by running it again, and two runs beside each other never double a row. The pointer to the encoder whose
vectors answer lies in the metadata of the `tiles` table: a re-embedding takes effect in one commit, once complete.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreError
from . import lance
from .reader import ENCODER_KEY, PENDING_ENCODER_KEY, Reader, TileKey
from .schema import SceneRow, TileRow, scenes_table, share_columns, tiles_schema, tiles_table
from .vectors import EncoderInfo, vector_array, vector_field

__all__ = ["EncoderInfo", "SceneRow", "Store", "TileKey", "TileRow"]


class Store(Reader):
    """A store that exists. `Store.open`, `Store.create` and `Store.open_or_create` make one.

    One that was opened as it was earlier cannot be written.
    """

    def __init__(self, path: str, as_of: int | dt.datetime | None = None) -> None:
        super().__init__(path, as_of)
        self._tables: dict[str, Any] = {}

    @classmethod
    def create(cls, path: str | Path) -> Self:
        """Make an empty store in a new or empty folder.

        Raises:
            StoreError: something is there already, or nothing can be written there.
        """
        if lance.is_local(str(path)) and Path(path).is_dir() and any(Path(path).iterdir()):
            raise StoreError(f"{path} exists already; open it, or name a new folder")
        return cls.open_or_create(path)

    @classmethod
    def open_or_create(cls, path: str | Path) -> Self:
        """Open a store, make it where there is none, complete it where making it was interrupted.

        Raises:
            StoreError: `path` holds something else or a store of another schema, or nothing can be written there.
        """
        lance.create_tables(str(path))
        return cls(str(path))

    def add_tiles(self, rows: Sequence[TileRow], vectors: NDArray[np.floating[Any]] | None = None) -> int:
        """Add tiles that the store lacks; those that it has stay as they are.

        Args:
            rows: tiles; of two with the same id the first counts.
            vectors: (n, dim) unit vectors of the current encoder (`add_encoder`), or None to embed later.

        Returns:
            How many were new.

        Raises:
            StoreError: the store cannot be written.
        """
        first = np.unique([row.id for row in rows], return_index=True)[1] if rows else np.array([], np.intp)
        info = self.encoder
        if vectors is not None and info is None:
            raise ValueError("call add_encoder(encoder) before adding vectors")
        column = vector_array(vectors, info) if vectors is not None and info is not None else None
        table = tiles_table(rows, column, info)
        if len(first) < len(rows):
            table = table.take(np.sort(first))
        return lance.upsert(self.path, self._table("tiles"), table, insert=True) if rows else 0

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
        lance.upsert(self.path, self._table("tiles"), table, update=True)

    def add_scene(self, row: SceneRow) -> None:
        """Record a scene, to be called after its last tile; a scene of the same id is replaced."""
        lance.upsert(self.path, self._table("scenes"), scenes_table([row]), insert=True, update=True)

    def add_encoder(self, info: EncoderInfo) -> None:
        """Make room for an encoder's vectors.

        A store's first encoder answers at once, a later one after `activate_encoder`.
        """
        for attempt in range(3):
            try:
                return self._add_encoder(info)
            except (StoreError, ValueError):  # another process may be announcing an encoder: look again, then give up
                if attempt == 2:
                    raise
        return None

    def set_vectors(self, info: EncoderInfo, ids: Sequence[str], vectors: NDArray[np.floating[Any]] | None) -> None:
        """Set the (n, dim) unit vectors of stored tiles, of an encoder that `add_encoder` made room for.

        None takes their vectors out, as if they had never been embedded.
        """
        import pyarrow as pa

        schema = pa.schema([tiles_schema().field("id"), vector_field(info)])
        column = vector_array(vectors, info) if vectors is not None else pa.nulls(len(ids), schema.field(1).type)
        arrays = [pa.array(list(ids), pa.string()), column]
        table = pa.Table.from_arrays(arrays, schema=schema)
        lance.upsert(self.path, self._table("tiles"), table, update=True)

    def activate_encoder(self, info: EncoderInfo) -> None:
        """Let an encoder's vectors answer from now on, in one commit, and drop the old ones.

        Raises:
            StoreError: tiles that have an old vector still lack a new one.
        """
        old = self.encoder
        if old == info:
            return
        self._require_newest()
        lacking = self._count(f"{info.column} IS NULL" + (f" AND {old.column} IS NOT NULL" if old else ""))
        if lacking:
            raise StoreError(
                f"{lacking} tiles of {self.path} have no vector of {info.title} yet, so the old ones still answer; "
                f"run `geocmer embed --model {info.model} --store {self.path}` again"
            )
        with lance.translate_errors(self.path, "write"):
            lance.set_metadata(self.path, "tiles", {ENCODER_KEY: info.to_json(), PENDING_ENCODER_KEY: None})
            self._drop_vectors_but({info.column})

    def reembed(self, info: EncoderInfo, encode: Callable[[list[TileKey]], NDArray[np.floating[Any]]]) -> int:
        """Give every tile that lacks one a vector of `info`, then let these answer. Resumes where it was interrupted.

        Args:
            info: the encoder; if it is the current one, only tiles without a vector are embedded.
            encode: tiles, a scene's together -> their (n, dim) unit vectors.

        Returns:
            How many vectors were made.
        """
        self.add_encoder(info)
        made = 0
        for keys in self.iter_unembedded(info):
            self.set_vectors(info, [key.id for key in keys], encode(keys))
            made += len(keys)
        self.activate_encoder(info)
        if made:
            self.upkeep()
        return made

    def upkeep(self) -> None:
        """Keep the store small and quick: to be called after a bulk of writes, and cheap if there were none."""
        from lancedb.index import BTree

        self._require_newest()
        for name in lance.TABLES:
            lance.compact(self.path, name)
        for name, behind in self.unindexed().items():
            if behind is None:
                self._table("tiles").create_index(name, config=BTree())

    def clean_orphans(self) -> None:
        """Remove files of writes that were never committed and are a week old, so that no writer is at them."""
        self._require_newest()
        for name in lance.TABLES:
            lance.clean_orphans(self.path, name)

    def remove_duplicates(self, rows: Sequence[tuple[str, int]]) -> None:
        """Remove rows, each given as (id, row id), whose id another row has too.

        A row goes only if both still agree, so that one row of each id is left whatever happened meanwhile.
        """
        from lancedb.expr import col, lit

        for start in range(0, len(rows), 500):
            pairs = [f"({(col('id') == lit(name)).to_sql()} AND _rowid = {row})" for name, row in rows[start:][:500]]
            with lance.translate_errors(self.path, "write"):
                self._table("tiles").delete(" OR ".join(pairs))

    def index_vectors(self) -> str:
        """Make, or make anew, the approximate index of the vectors that answer (see `ivf`). Returns their column."""
        from lancedb.index import IvfRq

        column = self.snapshot().require_encoder().column
        with lance.translate_errors(self.path, "write"):
            self._table("tiles").create_index(column, config=IvfRq(distance_type="dot"), replace=True)
        return column

    def set_metadata(self, key: str, text: str) -> None:
        """Set a value in the metadata of the tiles."""
        with lance.translate_errors(self.path, "write"):
            self._require_newest()
            lance.set_metadata(self.path, "tiles", {key: text})

    def _require_newest(self) -> None:
        """Refuse to write to an earlier version."""
        if self.as_of is not None:
            raise StoreError(f"the store {self.path} is read as of version {self.as_of}; open it anew to write to it")

    def _table(self, name: str) -> Any:
        """Return a table to write to."""
        self._require_newest()
        if name not in self._tables:
            self._tables[name] = lance.open_table(self.path, name)
        return self._tables[name]

    def _add_encoder(self, info: EncoderInfo) -> None:
        current = self.encoder
        if info in (current, self.pending_encoder):
            return
        table = self._table("tiles")
        with lance.translate_errors(self.path, "write"):
            self._drop_vectors_but(
                {current.column, info.column} if current else {info.column}
            )  # those of an abandoned re-embedding go
            if info.column not in table.schema.names:
                table.add_columns([vector_field(info)])
            lance.set_metadata(self.path, "tiles", {PENDING_ENCODER_KEY if current else ENCODER_KEY: info.to_json()})

    def _drop_vectors_but(self, kept: set[str]) -> None:
        table = self._table("tiles")
        names = [n for n in table.schema.names if n.startswith("vector_") and n not in kept]
        if names:
            table.drop_columns(names)
