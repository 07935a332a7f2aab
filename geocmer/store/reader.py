"""What is in a store, at its newest version or an earlier one: tiles, scenes, encoders. Nothing is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import StoreError
from . import lance, versions
from .schema import SceneRow, scene_row
from .snapshot import Snapshot
from .vectors import EncoderInfo
from .versions import Version

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

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


class Reader:
    """The reading half of a `Store`.

    Attributes:
        path: of the store.
        past: the earlier version of the tiles that this reads, if it was opened so.
    """

    def __init__(self, path: str, as_of: int | dt.datetime | None = None) -> None:
        self.path = path
        self.past: Version | None = None
        self._datasets = lance.find(path)
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

    def snapshot(self) -> Snapshot:
        """The newest version of the tiles, to read from."""
        with lance.spoken(self.path, "read"):
            tiles, scenes = (self._dataset(name) for name in lance.TABLES)
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

    def versions(self) -> list[Version]:
        """The versions of the tiles that can be read, oldest first; upkeep clears others."""
        with lance.spoken(self.path, "read"):
            return versions.versions(self._dataset("tiles"))

    def count(self) -> int:
        """Tiles in the store."""
        return self._count()

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are in the store, embedded or not."""
        from pyarrow.compute import field

        found: set[str] = set()
        for start in range(0, len(ids), 10_000):
            where = field("id").isin(list(ids[start : start + 10_000]))
            found.update(self._read("tiles", ["id"], where)["id"].to_pylist())
        return found

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

    def missing(self, info: EncoderInfo, batch: int = 4096) -> Iterator[list[TileKey]]:
        """The tiles that have no vector of an encoder yet, in storage order, which keeps a scene's tiles together."""
        names = ["id", "scene_id", "row", "col", "size"]
        table = self._read("tiles", names, f"{info.column} IS NULL")
        keys = [TileKey(**record) for record in table.to_pylist()]
        yield from (keys[start : start + batch] for start in range(0, len(keys), batch))

    def unindexed(self) -> dict[str, int | None]:
        """For each column that should have an index: the tiles that are not in it yet, None where there is none."""
        rows = self.count()
        if rows < INDEX_ROWS:
            return {}
        with lance.spoken(self.path, "read"):
            tiles = self._dataset("tiles")
            there = {index.field_names[0]: rows - index.num_rows_indexed for index in tiles.describe_indices()}
        return {name: there.get(name) for name in ("xmin", "ymin")}  # not xmax, ymax: they make the same filter slower

    def untidy(self) -> dict[str, lance.Untidy]:
        """What `upkeep` would do to each table, and `sweep`."""
        with lance.spoken(self.path, "read"):
            return {name: lance.untidy(self.path, name) for name in lance.TABLES}

    def _go_back(self, as_of: int | dt.datetime) -> None:
        """Read earlier versions from now on: of the tiles, and of the scenes as they were at the same moment."""
        tiles = self.versions()
        self.past = versions.find(tiles, as_of, self.path)
        moment = versions.last_moment(tiles, as_of) if isinstance(as_of, int) else as_of
        with lance.spoken(self.path, "read"):
            scenes = versions.versions(self._dataset("scenes"))
            before = [version for version in scenes if version.time <= moment] or scenes[:1]
            try:
                for name, number in zip(lance.TABLES, (self.past.number, before[-1].number), strict=True):
                    self._datasets[name] = lance.dataset(self.path, name, number)
            except StoreError as error:
                raise StoreError(
                    f"version {self.past} of {self.path} was cleared just now by upkeep; see `geocmer info`"
                ) from error

    def _dataset(self, name: str) -> Any:
        """A table to read from: its newest version, or the earlier one that was asked for."""
        with lance.spoken(self.path, "read"):
            found = self._datasets[name]
            if self.past is None and found.latest_version != found.version:
                found = self._datasets[name] = lance.dataset(self.path, name)
            return found

    def _read(self, name: str, columns: list[str] | None = None, where: pc.Expression | str | None = None) -> pa.Table:
        """Rows of the version that is read; users' words reach a filter as an expression, never as SQL text."""
        with lance.spoken(self.path, "read"):
            return self._dataset(name).to_table(columns, filter=where)

    def _count(self, where: str | None = None) -> int:
        with lance.spoken(self.path, "read"):
            return int(self._dataset("tiles").count_rows(where))


def _encoder(tiles: Any, key: str) -> EncoderInfo | None:
    text = (tiles.schema.metadata or {}).get(key.encode())
    return EncoderInfo.from_json(text.decode()) if text else None
