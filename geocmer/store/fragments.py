"""Tiles written by many processes and committed by one: files first, which no version holds, then one commit.

So a thousand scenes that are tiled on many machines make one version of the store, and not a thousand; a process that
is killed leaves files that nobody reads, which the doctor removes once they are a week old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import connection, lance
from .address import storage_options
from .scene_row import SceneRow
from .schema import TileRow, tiles_table
from .store import Store
from .vectors import EncoderInfo, vector_array

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class WrittenTiles:
    """Tiles that are on the disk, and in no version of the store yet.

    Attributes:
        fragments: Lance's metadata of the files.
        ids: of the tiles.
        scenes: that are complete with them.
    """

    fragments: list[Any] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    scenes: list[SceneRow] = field(default_factory=list)


class FragmentStore(Store):
    """A store for one worker of many: it reads as any other, and what it adds is collected in `written`.

    What changes rows that are there already, as other categories for them, is committed at once.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.written = WrittenTiles()

    def add_tiles(
        self, rows: Sequence[TileRow], vectors: NDArray[np.floating[Any]] | None = None,
        encoder: EncoderInfo | None = None,
    ) -> int:  # fmt: skip
        """Write tiles to files of their own; those that the store has, or that were written here, are left out."""
        from lance.fragment import write_fragments

        known = self.existing_ids([row.id for row in rows]) | set(self.written.ids)
        new = [at for at, row in enumerate(rows) if row.id not in known]
        if not new:
            return 0
        column = None
        if vectors is not None and encoder is not None:
            self._require_column(encoder)
            column = vector_array(vectors[new], encoder)
        tiles = self._dataset("tiles")
        table = _in_columns_of(tiles_table([rows[at] for at in new], column, encoder), tiles.schema)
        with connection.translate_errors(self.path, "write"):
            self.written.fragments += write_fragments(
                table, tiles, mode="append", storage_options=storage_options(self.path)
            )
        self.written.ids += [rows[at].id for at in new]
        return len(new)

    def begin_scene(self, scene_id: str, uri: str) -> None:
        """Do nothing: no tile is in the store before its scene is complete."""

    def add_scenes(self, rows: Sequence[SceneRow]) -> None:
        """Keep scenes to be recorded with their tiles."""
        self.written.scenes += rows

    def remove_scene(self, scene_id: str) -> int:  # noqa: ARG002 - a worker has one scene at a time
        """Forget what was written of a scene that cannot be completed; none of it is in the store."""
        left, self.written = len(self.written.ids), WrittenTiles()
        return left

    def upkeep(self) -> None:
        """Do nothing: who commits tends the store."""


def commit_written(store: Store, parts: Sequence[WrittenTiles]) -> list[bool]:
    """Commit what workers wrote: all tiles in one version, then all scenes in one.

    Args:
        store: open to write to.
        parts: of the workers, a scene each.

    Returns:
        For each part whether it was committed. One with a tile that the store has by now, or that an earlier part has,
        is not: run its scene again, and what is there already is left out.

    Raises:
        StoreError: the store cannot be written.
    """
    known_ids = store.existing_ids([name for part in parts for name in part.ids])
    taken: list[bool] = []
    for part in parts:
        taken.append(known_ids.isdisjoint(part.ids))
        if taken[-1]:
            known_ids.update(part.ids)
    chosen = [part for part, is_taken in zip(parts, taken, strict=True) if is_taken]
    fragments = [fragment for part in chosen for fragment in part.fragments]
    scenes = list({row.id: row for part in chosen for row in part.scenes}.values())
    if fragments and not lance.commit_fragments(store.path, "tiles", fragments, set()):
        _remove_duplicates(store, {row.id for row in scenes})  # others wrote meanwhile, perhaps the same
    if scenes:
        store.add_scenes(scenes)
    return taken


def _in_columns_of(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Bring a table into the columns of the store; those it lacks are null."""
    import pyarrow as pa

    columns = [
        table[entry.name].cast(entry.type) if entry.name in table.schema.names else pa.nulls(len(table), entry.type)
        for entry in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _remove_duplicates(store: Store, scenes: set[str]) -> None:
    """Leave one row of each id in some scenes."""
    from pyarrow.compute import field as column

    where = column("scene_id").isin(sorted(scenes))
    rows = store.snapshot().dataset.scanner(["id"], filter=where, with_row_id=True).to_table().to_pylist()
    first: set[str] = set()
    duplicates = []
    for row in rows:
        if row["id"] in first:
            duplicates.append((row["id"], row["_rowid"]))
        first.add(row["id"])
    if duplicates:
        store.remove_duplicates(duplicates)
