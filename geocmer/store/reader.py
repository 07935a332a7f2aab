"""Reading a store, at its newest version or an earlier one: tiles, scenes, encoders. Nothing is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import StoreError
from ..imagery.address import SceneAddress
from ..imagery.ids import MIN_ID_DIGITS
from . import connection, lance, maintenance, versions
from .address import store_address
from .checksums import damaged_fragments
from .durability import torn_files
from .leases import take_lease
from .scene_row import SceneRow, scene_row
from .snapshot import Snapshot
from .vectors import ENCODER_KEY, PENDING_ENCODER_KEY, EncoderInfo, recorded_encoder, usable_encoder
from .versions import Version

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

UNFINISHED_KEY = "geocmer:unfinished:"
"""Metadata of `scenes`, and the id of a scene that is being tiled: its file."""
INDEX_MIN_ROWS = 100_000
"""Below this a flat scan of the extents is as fast as an index on them."""


@dataclass(frozen=True, slots=True)
class TileKey:
    """Where a stored tile lies in its scene: what is needed to read its pixels again."""

    id: str
    scene_id: str
    row: int
    col: int
    size: int


class Reader:
    """The reading half of a `Store`.

    Attributes:
        path: of the store.
        as_of: the earlier version of the tiles that this reads, if it was opened so.
    """

    def __init__(self, path: str, as_of: int | dt.datetime | None = None) -> None:
        self.path = path
        self.as_of: Version | None = None
        self._datasets = lance.open_tables(path)
        self._snapshot: tuple[int, int, Snapshot] | None = None
        if as_of is not None:
            self._checkout(as_of)

    @classmethod
    def open(cls, path: str | Path, as_of: int | dt.datetime | None = None) -> Self:
        """Open a store.

        Args:
            path: folder or object store.
            as_of: read it as it was: the number of a version (`versions`), or a moment with a time zone, which means
                the newest version at or before it.

        Raises:
            StoreError: `path` is no store, an incomplete one, one of another schema version, or the version can no
                longer be read.
        """
        return cls(store_address(path), as_of)

    def snapshot(self) -> Snapshot:
        """Return the newest version of the tiles, to read from."""
        with connection.translate_errors(self.path, "read"):
            tiles, scenes = (self._dataset(name) for name in lance.TABLES)
            versions = tiles.version, scenes.version
            if self._snapshot is None or self._snapshot[:2] != versions:
                uris = scenes.to_table(["id", "uri"])
                snapshot = Snapshot(
                    self.path,
                    tiles,
                    versions[0],
                    usable_encoder(tiles, ENCODER_KEY),
                    dict(zip(uris["id"].to_pylist(), uris["uri"].to_pylist(), strict=True)),
                    self.as_of is not None,
                )
                if connection.is_local(self.path):
                    take_lease(snapshot, Path(self.path) / "tiles.lance", snapshot.version)
                self._snapshot = (*versions, snapshot)
        return self._snapshot[2]

    @property
    def encoder(self) -> EncoderInfo | None:
        """The encoder whose vectors answer queries; None while the store has none."""
        return usable_encoder(self._dataset("tiles"), ENCODER_KEY)

    @property
    def pending_encoder(self) -> EncoderInfo | None:
        """The encoder of a re-embedding that has begun and is not complete."""
        return usable_encoder(self._dataset("tiles"), PENDING_ENCODER_KEY)

    def require_encoder(self, fingerprint: str) -> None:
        """Refuse another encoder than the one the store was built with.

        Raises:
            FingerprintError: the vectors are another encoder's.
            StoreError: there are no vectors yet.
        """
        self.snapshot().require_encoder(fingerprint)

    def versions(self) -> list[Version]:
        """List the versions of the tiles that can be read, oldest first; upkeep clears others."""
        with connection.translate_errors(self.path, "read"):
            return versions.list_versions(self._dataset("tiles"))

    def count(self) -> int:
        """Count the tiles in the store."""
        return self._count()

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Return those of `ids` that are in the store, embedded or not."""
        from pyarrow.compute import field

        found: set[str] = set()
        for start in range(0, len(ids), 10_000):
            where = field("id").isin(list(ids[start : start + 10_000]))
            found.update(self._read("tiles", ["id"], where)["id"].to_pylist())
        return found

    def categories(self) -> dict[str, int]:
        """Count the tiles of each category, most frequent first; tiles without one are left out."""
        column = self._read("tiles", ["category"])["category"].drop_null()
        counts = {str(entry["values"]): int(entry["counts"]) for entry in column.value_counts().to_pylist()}
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def scene(self, scene_id: str) -> SceneRow | None:
        """Return a scene, if all its tiles are in the store and its record can be read."""
        from pyarrow.compute import field

        rows = self._scenes(field("id") == scene_id)[0]
        return rows[0] if rows else None

    def scenes_of(self, uri: str) -> list[SceneRow]:
        """Return the complete scenes that were read from an address: one for each grid."""
        from pyarrow.compute import field

        return self._scenes(field("uri") == uri)[0]

    def scenes(self) -> list[SceneRow]:
        """Return every complete scene whose record can be read, in the order of completion; see `damaged_scenes`."""
        return sorted(self._scenes()[0], key=lambda row: (row.created_at, row.id))

    def damaged_scenes(self) -> dict[str, str]:
        """Return what is wrong with each record of a scene that cannot be read, by the scene's id.

        Tiling the scene again writes its record anew, as if it had not been tiled to its end; its tiles stay.
        """
        return self._scenes()[1]

    def _scenes(self, where: pc.Expression | None = None) -> tuple[list[SceneRow], dict[str, str]]:
        """Read the records of complete scenes, and what is wrong with those that are damaged."""
        rows: list[SceneRow] = []
        damaged: dict[str, str] = {}
        for record in self._read("scenes", None, where).to_pylist():
            try:
                rows.append(scene_row(record))
            except StoreError as error:
                damaged[str(record["id"])] = str(error)
        return rows, damaged

    def unfinished_uris(self) -> dict[str, str]:
        """Return where each scene was read that was begun and is not complete, by id, as far as it is known."""
        begun = self._begun_uris()
        complete = self.snapshot().uris if begun else {}
        return {name: uri for name, uri in begun.items() if name not in complete}

    def _begun_uris(self) -> dict[str, str]:
        """Return the notes of scenes that were begun; a kill may leave that of one which is complete."""
        metadata = self._dataset("scenes").schema.metadata or {}
        texts = {key.decode(): value.decode() for key, value in metadata.items()}
        return {key.removeprefix(UNFINISHED_KEY): uri for key, uri in texts.items() if key.startswith(UNFINISHED_KEY)}

    def find_scenes(self, name: str) -> list[str]:
        """Return the ids of the scenes, unfinished ones too, that a file or the beginning of an id means.

        Raises:
            StoreError: none is meant.
        """
        uris = self.unfinished_uris() | self.snapshot().uris
        path = SceneAddress.of(name).absolute
        ids = set(self._read("tiles", ["scene_id"])["scene_id"].unique().to_pylist()) | set(uris)
        found = [scene for scene, uri in uris.items() if uri in (name, path)]
        if not found and len(name) >= MIN_ID_DIGITS:
            found = sorted(scene for scene in ids if scene.startswith(name))
        if not found:
            known = ", ".join(sorted({Path(uri or "?").name[:60] for uri in uris.values()})[:5]) or "none"
            raise StoreError(
                f"the store {self.path} has no scene {name}; give its file or {MIN_ID_DIGITS} digits of its id "
                f"(its scenes: {known})"
            )
        return found

    def iter_unembedded(self, info: EncoderInfo, batch: int = 4096, scene_id: str = "") -> Iterator[list[TileKey]]:
        """Yield the tiles without a vector of an encoder, in storage order, which keeps a scene's tiles together."""
        names = ["id", "scene_id", "row", "col", "size"]
        if scene_id and not scene_id.isalnum():
            raise ValueError(f"scene id {scene_id!r} is not hex digits")
        of_scene = f" AND scene_id = '{scene_id}'" if scene_id else ""
        table = self._read("tiles", names, f"{info.column} IS NULL{of_scene}")
        keys = [TileKey(**record) for record in table.to_pylist()]
        yield from (keys[start : start + batch] for start in range(0, len(keys), batch))

    def unindexed(self) -> dict[str, int | None]:
        """Count the tiles that an index does not hold yet, by indexed column; None where the index is to be made."""
        rows = self.count()
        if rows < INDEX_MIN_ROWS:
            return {}
        with connection.translate_errors(self.path, "read"):
            tiles = self._dataset("tiles")
            behind = {index.field_names[0]: rows - index.num_rows_indexed for index in tiles.describe_indices()}
        return {name: behind.get(name) for name in ("xmin", "ymin")}  # not xmax, ymax: they make the same filter slower

    def dead_vectors(self) -> set[str]:
        """Return the columns of vectors that are neither the encoder's nor the pending one's."""
        tiles = self._dataset("tiles")
        recorded = [recorded_encoder(tiles, key) for key in (ENCODER_KEY, PENDING_ENCODER_KEY)]
        columns = {name for name in tiles.schema.names if name.startswith("vector_")}
        return columns - {info.column for info in recorded if info is not None}

    def torn_files(self) -> list[str]:
        """List the files of the newest version that are not as they were written; none for an object store."""
        if not connection.is_local(self.path):
            return []
        tables = [(self._dataset(name), Path(self.path) / f"{name}.lance") for name in lance.TABLES]
        return [file for table, folder in tables for file in torn_files(table, folder)]

    def damaged_files(self) -> list[str]:
        """List files of the newest version that are not what was written, by their checksums; all of them are read."""
        if not connection.is_local(self.path):
            return []
        tables = [(self._dataset(name), Path(self.path) / f"{name}.lance") for name in lance.TABLES]
        return [str(file) for table, folder in tables for file in damaged_fragments(table, folder).values()]

    def pending_maintenance(self) -> dict[str, maintenance.PendingMaintenance]:
        """Return what `upkeep` and `clean_orphans` would do to each table."""
        with connection.translate_errors(self.path, "read"):
            return {name: maintenance.pending_maintenance(self.path, name) for name in lance.TABLES}

    def _checkout(self, as_of: int | dt.datetime) -> None:
        """Read earlier versions from now on: of the tiles, and of the scenes as they were at the same moment."""
        tiles = self.versions()
        self.as_of = versions.find_version(tiles, as_of, self.path)
        moment = versions.last_moment(tiles, as_of) if isinstance(as_of, int) else as_of
        with connection.translate_errors(self.path, "read"):
            scenes = versions.list_versions(self._dataset("scenes"))
            before = [version for version in scenes if version.time <= moment] or scenes[:1]
            try:
                for name, number in zip(lance.TABLES, (self.as_of.number, before[-1].number), strict=True):
                    self._datasets[name] = connection.open_dataset(self.path, name, number)
            except StoreError as error:
                raise StoreError(
                    f"version {self.as_of} of {self.path} was cleared just now by upkeep; see `geocmer info`"
                ) from error

    def _dataset(self, name: str) -> Any:
        """Return a table to read from: its newest version, or the earlier one of `as_of`."""
        with connection.translate_errors(self.path, "read"):
            found = self._datasets[name]
            if self.as_of is None and found.latest_version != found.version:
                found = self._datasets[name] = connection.open_dataset(self.path, name)
            return found

    def _read(self, name: str, columns: list[str] | None = None, where: pc.Expression | str | None = None) -> pa.Table:
        """Read rows of a table; users' words reach a filter as an expression, never as SQL text."""
        with connection.translate_errors(self.path, "read"):
            return self._dataset(name).to_table(columns, filter=where)

    def _count(self, where: str | None = None) -> int:
        with connection.translate_errors(self.path, "read"):
            return int(self._dataset("tiles").count_rows(where))
