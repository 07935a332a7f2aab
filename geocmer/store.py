"""The store: a LanceDB database of tiles, their vectors and their scenes. All writing to it happens here.

Every write is one atomic commit, keyed by a tile's id, and adds nothing that is already there: an interrupted run is
mended by running it again, and two runs beside each other never double a row. The pointer to the encoder whose vectors
answer lies in the metadata of the `tiles` table: a re-embedding takes effect in one commit, when it is complete.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from . import database, history
from .errors import StoreError
from .history import Version
from .schema import SceneRow, TileRow, scene_row, scenes_table, tiles_schema, tiles_table
from .snapshot import Snapshot
from .vectors import EncoderInfo, vector_array, vector_field

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

__all__ = ["EncoderInfo", "SceneRow", "Store", "TileKey", "TileRow"]

CURRENT, COMING = "geocmer:encoder", "geocmer:coming-encoder"
"""Metadata of `tiles`: the encoder whose vectors answer, and the one that a re-embedding is on the way to."""
INDEX_ROWS = 100_000
"""Below this a flat scan of the extents is as fast as an index on them."""


@dataclass(frozen=True, slots=True)
class TileKey:
    """What is needed to cut a stored tile from its scene again."""

    id: str
    scene_id: str
    row: int
    col: int
    size: int


class Store:
    """A store that exists. `Store.open`, `Store.create` and `Store.open_or_create` make one.

    Attributes:
        past: the earlier version of the tiles that this reads, if it was opened so; then it cannot be written.
    """

    def __init__(self, path: str, as_of: int | dt.datetime | None = None) -> None:
        self.path = path
        self.past: Version | None = None
        database.check(path)
        self._datasets: dict[str, Any] = {}
        self._tables: dict[str, Any] = {}
        self._snapshot: tuple[int, int, Snapshot] | None = None
        if as_of is not None:
            self._go_back(as_of)

    @classmethod
    def open(cls, path: str | Path, as_of: int | dt.datetime | None = None) -> Self:
        """Open a store.

        Args:
            path: folder or object store.
            as_of: read it as it was: the number of a version (`versions`), or a moment with a time zone, which means
                the newest version at or before it.

        Raises:
            StoreError: there is none at `path`, it is not a store or half made, it has another schema version, or the
                version can no longer be read.
        """
        return cls(str(path), as_of)

    @classmethod
    def create(cls, path: str | Path) -> Self:
        """Make an empty store in a new or empty folder.

        Raises:
            StoreError: something is there already, or nothing can be written there.
        """
        if database.is_local(str(path)) and Path(path).is_dir() and any(Path(path).iterdir()):
            raise StoreError(f"{path} exists already; open it, or name a new folder")
        return cls.open_or_create(path)

    @classmethod
    def open_or_create(cls, path: str | Path) -> Self:
        """Open a store, make it where there is none, complete it where making it was interrupted.

        Raises:
            StoreError: `path` holds something else or a store of another schema, or nothing can be written there.
        """
        database.make(str(path))
        return cls(str(path))

    # -- what is there -------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The newest version of the tiles, to read from."""
        with database.spoken(self.path, "read"):
            tiles, scenes = (self._dataset(name) for name in database.TABLES)
            versions = tiles.version, scenes.version
            if self._snapshot is None or self._snapshot[:2] != versions:
                uris = scenes.to_table(["id", "uri"])
                snapshot = Snapshot(
                    self.path,
                    tiles,
                    versions[0],
                    _encoder(tiles, CURRENT),
                    dict(zip(uris["id"].to_pylist(), uris["uri"].to_pylist(), strict=True)),
                    self.past is not None,
                )
                self._snapshot = (*versions, snapshot)
        return self._snapshot[2]

    def versions(self) -> list[Version]:
        """The versions of the tiles that can be read, oldest first; upkeep clears others."""
        with database.spoken(self.path, "read"):
            return history.versions(self._dataset("tiles"))

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are in the store, embedded or not."""
        from pyarrow.compute import field

        found: set[str] = set()
        for start in range(0, len(ids), 10_000):
            where = field("id").isin(list(ids[start : start + 10_000]))
            found.update(self._read("tiles", ["id"], where)["id"].to_pylist())
        return found

    def count(self) -> int:
        """Tiles in the store."""
        return self._count()

    def categories(self) -> dict[str, int]:
        """Tiles of each category, most frequent first; tiles without one are left out."""
        column = self._read("tiles", ["category"])["category"].drop_null()
        counts = {str(entry["values"]): int(entry["counts"]) for entry in column.value_counts().to_pylist()}
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def scene(self, scene_id: str) -> SceneRow | None:
        """A scene, if all its tiles are in the store."""
        from pyarrow.compute import field

        records = self._read("scenes", None, field("id") == scene_id).to_pylist()
        return scene_row(records[0]) if records else None

    def scenes(self) -> list[SceneRow]:
        """Every complete scene, in the order of completion."""
        rows = [scene_row(record) for record in self._read("scenes").to_pylist()]
        return sorted(rows, key=lambda row: (row.created_at, row.id))

    # -- tiles and scenes ----------------------------------------------------------------------------------------------

    def add_tiles(self, rows: Sequence[TileRow], vectors: NDArray[np.floating[Any]] | None = None) -> int:
        """Add tiles that are not there yet; those that are there stay as they are.

        Args:
            rows: tiles; of two with the same id the first counts.
            vectors: (n, dim) unit vectors of the current encoder (`begin`), or None to embed later.

        Returns:
            How many were new.

        Raises:
            StoreError: the store cannot be written.
        """
        first = np.unique([row.id for row in rows], return_index=True)[1] if rows else np.array([], np.intp)
        info = self.encoder
        if vectors is not None and info is None:
            raise ValueError("call begin(encoder) before adding vectors")
        column = vector_array(vectors, info) if vectors is not None and info is not None else None
        table = tiles_table(rows, column, info).take(np.sort(first))
        return database.upsert(self.path, self._table("tiles"), table, insert=True) if rows else 0

    def set_categories(
        self,
        ids: Sequence[str],
        categories: Sequence[str | None],
        fractions: Sequence[Mapping[str, float] | None],
        captions: Sequence[Sequence[str] | None],
    ) -> None:
        """Replace category, class fractions and captions of tiles that are there; other ids are ignored."""
        import pyarrow as pa

        columns = [
            list(ids),
            list(categories),
            [None if shares is None else list(shares) for shares in fractions],
            [None if shares is None else list(shares.values()) for shares in fractions],
            list(captions),
        ]
        schema = pa.schema([tiles_schema().field(n) for n in ("id", "category", "labels", "fractions", "captions")])
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=schema)
        database.upsert(self.path, self._table("tiles"), table, update=True)

    def add_scene(self, row: SceneRow) -> None:
        """Record a scene, to be called after its last tile; a scene of the same id is replaced."""
        database.upsert(self.path, self._table("scenes"), scenes_table([row]), insert=True, update=True)

    # -- vectors -------------------------------------------------------------------------------------------------------

    @property
    def encoder(self) -> EncoderInfo | None:
        """The encoder whose vectors answer queries; None while the store has none."""
        return _encoder(self._dataset("tiles"), CURRENT)

    @property
    def coming(self) -> EncoderInfo | None:
        """The encoder that an unfinished re-embedding is on the way to."""
        return _encoder(self._dataset("tiles"), COMING)

    def check(self, fingerprint: str) -> None:
        """Refuse another encoder than the one the store was built with.

        Raises:
            FingerprintError: the vectors are another encoder's.
            StoreError: there are no vectors yet.
        """
        self.snapshot().answering(fingerprint)

    def begin(self, info: EncoderInfo) -> None:
        """Make room for an encoder's vectors. A store's first encoder answers at once, a later one after `switch`."""
        for attempt in range(3):
            try:
                return self._begin(info)
            except (StoreError, ValueError):  # another process may be announcing an encoder: look again, then give up
                if attempt == 2:
                    raise
        return None

    def missing(self, info: EncoderInfo, batch: int = 4096) -> Iterator[list[TileKey]]:
        """The tiles that have no vector of an encoder yet, in storage order, which keeps a scene's tiles together."""
        names = ["id", "scene_id", "row", "col", "size"]
        table = self._read("tiles", names, f"{info.column} IS NULL")
        keys = [TileKey(**record) for record in table.to_pylist()]
        yield from (keys[start : start + batch] for start in range(0, len(keys), batch))

    def set_vectors(self, info: EncoderInfo, ids: Sequence[str], vectors: NDArray[np.floating[Any]] | None) -> None:
        """Give tiles that are there their (n, dim) unit vectors of an encoder that was announced by `begin`.

        None takes their vectors out, as if they had never been embedded.
        """
        import pyarrow as pa

        schema = pa.schema([tiles_schema().field("id"), vector_field(info)])
        column = vector_array(vectors, info) if vectors is not None else pa.nulls(len(ids), schema.field(1).type)
        arrays = [pa.array(list(ids), pa.string()), column]
        table = pa.Table.from_arrays(arrays, schema=schema)
        database.upsert(self.path, self._table("tiles"), table, update=True)

    def switch(self, info: EncoderInfo) -> None:
        """Let an encoder's vectors answer from now on, in one commit, and drop the old ones.

        Raises:
            StoreError: tiles that have an old vector still lack a new one.
        """
        old = self.encoder
        if old == info:
            return
        self._table("tiles")
        lacking = self._count(f"{info.column} IS NULL" + (f" AND {old.column} IS NOT NULL" if old else ""))
        if lacking:
            raise StoreError(
                f"{lacking} tiles of {self.path} have no vector of {info.title} yet, so the old ones still answer; "
                f"run `geocmer embed --model {info.model} --store {self.path}` again"
            )
        with database.spoken(self.path, "write"):
            database.set_metadata(self.path, "tiles", {CURRENT: info.to_json(), COMING: None})
            self._drop_vectors_but({info.column})

    def reembed(self, info: EncoderInfo, encode: Callable[[list[TileKey]], NDArray[np.floating[Any]]]) -> int:
        """Give every tile that lacks one a vector of `info`, then let these answer. Resumes where it was interrupted.

        Args:
            info: the encoder; if it is the current one, only tiles without a vector are embedded.
            encode: tiles, a scene's together -> their (n, dim) unit vectors.

        Returns:
            How many vectors were made.
        """
        self.begin(info)
        made = 0
        for keys in self.missing(info):
            self.set_vectors(info, [key.id for key in keys], encode(keys))
            made += len(keys)
        self.switch(info)
        if made:
            self.upkeep()
        return made

    def upkeep(self) -> None:
        """Keep the store small and quick: to be called after a bulk of writes, and cheap if there were none."""
        from lancedb.index import BTree

        self._table("tiles")
        for name in database.TABLES:
            database.tidy(self.path, name)
        for name, behind in self.unindexed().items():
            if behind is None:
                self._table("tiles").create_index(name, config=BTree())

    def unindexed(self) -> dict[str, int | None]:
        """For each column that should have an index: the tiles that are not in it yet, None where there is none."""
        if self.count() < INDEX_ROWS:
            return {}
        with database.spoken(self.path, "read"):
            tiles = self._dataset("tiles")
            rows = tiles.count_rows()
            there = {index.field_names[0]: rows - index.num_rows_indexed for index in tiles.describe_indices()}
        return {name: there.get(name) for name in ("xmin", "ymin")}  # not xmax, ymax: they make the same filter slower

    def untidy(self) -> dict[str, database.Untidy]:
        """What `upkeep` would do to each table, and `sweep`."""
        with database.spoken(self.path, "read"):
            return {name: database.untidy(self.path, name) for name in database.TABLES}

    def sweep(self) -> None:
        """Remove files of writes that were never committed and are a week old, so that no writer is at them."""
        self._table("tiles")
        for name in database.TABLES:
            database.sweep(self.path, name)

    def remove_doubles(self, rows: Sequence[tuple[str, int]]) -> None:
        """Remove rows, each given as (id, row id), whose id another row has too.

        A row goes only if both still agree, so that one row of each id is left whatever happened meanwhile.
        """
        from lancedb.expr import col, lit

        for start in range(0, len(rows), 500):
            pairs = [f"({(col('id') == lit(name)).to_sql()} AND _rowid = {row})" for name, row in rows[start:][:500]]
            with database.spoken(self.path, "write"):
                self._table("tiles").delete(" OR ".join(pairs))

    def index_vectors(self) -> str:
        """Make, or make anew, the approximate index of the vectors that answer (see `ivf`). Returns their column."""
        from lancedb.index import IvfRq

        column = self.snapshot().answering().column
        with database.spoken(self.path, "write"):
            self._table("tiles").create_index(column, config=IvfRq(distance_type="dot"), replace=True)
        return column

    def keep(self, key: str, text: str) -> None:
        """Keep a note in the metadata of the tiles, in place of an older one."""
        with database.spoken(self.path, "write"):
            self._table("tiles")
            database.set_metadata(self.path, "tiles", {key: text})

    def _go_back(self, as_of: int | dt.datetime) -> None:
        """Read earlier versions from now on: of the tiles, and of the scenes as they were at the same moment."""
        tiles = self.versions()
        self.past = history.find(tiles, as_of, self.path)
        moment = history.last_moment(tiles, as_of) if isinstance(as_of, int) else as_of
        with database.spoken(self.path, "read"):
            scenes = history.versions(self._dataset("scenes"))
            before = [version for version in scenes if version.time <= moment] or scenes[:1]
            try:
                for name, number in zip(database.TABLES, (self.past.number, before[-1].number), strict=True):
                    self._datasets[name] = database.dataset(self.path, name, number)
            except StoreError as error:
                raise StoreError(
                    f"version {self.past} of {self.path} was cleared just now by upkeep; see `geocmer info`"
                ) from error

    def _dataset(self, name: str) -> Any:
        """A table to read from: its newest version, or the earlier one that was asked for."""
        with database.spoken(self.path, "read"):
            found = self._datasets.get(name)
            if found is None or (self.past is None and found.latest_version != found.version):
                found = self._datasets[name] = database.dataset(self.path, name)
            return found

    def _table(self, name: str) -> Any:
        """A table to write to, refused if this reads an earlier version."""
        if self.past is not None:
            raise StoreError(f"the store {self.path} is read as of version {self.past}; open it anew to write to it")
        if name not in self._tables:
            self._tables[name] = database.table(self.path, name)
        return self._tables[name]

    def _read(self, name: str, columns: list[str] | None = None, where: pc.Expression | str | None = None) -> pa.Table:
        """Rows of the version that is read; users' words reach a filter as an expression, never as SQL text."""
        with database.spoken(self.path, "read"):
            return self._dataset(name).to_table(columns, filter=where)

    def _count(self, where: str | None = None) -> int:
        with database.spoken(self.path, "read"):
            return int(self._dataset("tiles").count_rows(where))

    def _begin(self, info: EncoderInfo) -> None:
        current = self.encoder
        if info in (current, self.coming):
            return
        table = self._table("tiles")
        with database.spoken(self.path, "write"):
            self._drop_vectors_but({current.column, info.column} if current else {info.column})  # of an abandoned one
            if info.column not in table.schema.names:
                table.add_columns([vector_field(info)])
            database.set_metadata(self.path, "tiles", {COMING if current else CURRENT: info.to_json()})

    def _drop_vectors_but(self, kept: set[str]) -> None:
        table = self._table("tiles")
        names = [n for n in table.schema.names if n.startswith("vector_") and n not in kept]
        if names:
            table.drop_columns(names)


def _encoder(tiles: Any, key: str) -> EncoderInfo | None:
    text = (tiles.schema.metadata or {}).get(key.encode())
    return EncoderInfo.from_json(text.decode()) if text else None
