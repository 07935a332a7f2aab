"""Lance as a store uses it: finding and making the tables, safe upserts, metadata, upkeep.

The tables are those of a LanceDB database. They are read and written through pylance, on which LanceDB stands: it is
imported in a quarter of the time. What is done here in an unusual way was measured first; the docstrings say what went
wrong with the usual one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from . import checksums
from .address import storage_options
from .connection import find_dataset, is_local, open_dataset, table_address, translate_errors
from .durability import has_version, step_back, sync, torn_files, torn_fragments
from .scene_row import scenes_schema
from .schema import SCHEMA_KEY, SCHEMA_VERSION, tiles_schema

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

TABLES = ("tiles", "scenes")
APPENDED_FILE_BYTES = 64 * 2**20
"""Rows that an append holds before they become a file."""


def open_tables(path: str) -> dict[str, Any]:
    """Open the tables of a store that exists, by name, to read from.

    Raises:
        StoreError: `path` is no store, an incomplete one, or one of another schema version.
    """
    if is_local(path) and not Path(path).exists():
        raise StoreError(
            f"there is no store at {path}; make one with `geocmer tile SCENE --store {path}`, or name another --store"
        )
    if Path(path).is_file():
        raise StoreError(f"{path} is a file; name the folder of a store")
    present = _existing_tables(path)
    if not present:
        raise StoreError(f"{path} is not a geocmer store; make one with `geocmer tile SCENE --store NEW_FOLDER`")
    found = {name: open_dataset(path, name) for name in present}
    for table in found.values():
        _check_schema(path, table)
    if not present >= set(TABLES):
        raise StoreError(f"the store {path} is incomplete; complete it with `geocmer tile SCENE --store {path}`")
    return found


def create_tables(path: str) -> None:
    """Make the tables of a store that are not there yet.

    Raises:
        StoreError: `path` holds something else, or nothing can be written there.
    """
    if is_local(path):
        _refuse_foreign(Path(path))
    present = _existing_tables(path)
    if present >= set(TABLES):
        return
    for name, schema in zip(TABLES, (tiles_schema(), scenes_schema()), strict=True):
        if name not in present:
            create_table(path, name, schema)


def create_table(path: str, name: str, schema: pa.Schema) -> None:
    """Make an empty table; nothing happens where another process is as quick.

    Raises:
        StoreError: nothing can be written there.
    """
    import lance

    with translate_errors(path, "make"):
        try:
            if is_local(path):
                Path(path).mkdir(parents=True, exist_ok=True)
            lance.write_dataset(schema.empty_table(), table_address(path, name), storage_options=storage_options(path))
        except (ValueError, RuntimeError, OSError):
            if find_dataset(path, name) is None:
                raise


def recover(path: str, read_all: bool = False) -> list[str]:
    """Step each table back to a whole version, and return what was done, in words; nothing if all is well.

    Scenes whose tiles are lost by it are no longer complete: tiling them again adds what is lacking.

    Args:
        path: of the store.
        read_all: compare checksums too, for which every file is read.

    Raises:
        StoreError: a table has no whole version.
    """
    if not is_local(path) or not _existing_tables(path) >= set(TABLES):
        return []
    with translate_errors(path, "recover"):
        done = {name: step_back(table_address(path, name), Path(path) / f"{name}.lance", read_all) for name in TABLES}
        if done["tiles"]:
            _forget_incomplete_scenes(path)
    return [note for note in done.values() if note]


def upsert(path: str, name: str, rows: pa.Table, whole: set[str], *, insert: bool = False, update: bool = False) -> int:
    """Write rows by `id` in one commit, see that they are on the disk, and return how many were new.

    All of this is needed, or two concurrent writers double rows in silence: the key declared in the schema and not
    nullable, in the table and in `rows`, and `use_index(False)`.
    """
    builder = open_dataset(path, name).merge_insert("id").use_index(False)
    builder = builder.when_matched_update_all() if update else builder
    builder = builder.when_not_matched_insert_all() if insert else builder
    with translate_errors(path, "write"):
        new = int(builder.execute(rows)["num_inserted_rows"])
    undo_if_torn(path, name, whole, rows_were_moved=update)
    return new


def append(path: str, name: str, tables: Iterable[pa.Table], whole: set[str]) -> None:
    """Write rows to a table in one commit, as they come, and see that they are on the disk.

    Files are written from this thread: a reader that pylance draws from runs Python on its threads, whose small stacks
    PROJ overflows (measured: a crash).

    Raises:
        StoreError: the table cannot be written.
    """
    import lance
    import pyarrow as pa

    fragments: list[Any] = []
    held: list[pa.Table] = []
    address, options = table_address(path, name), storage_options(path)

    def write() -> None:
        with translate_errors(path, "write"):
            fragments.extend(
                lance.fragment.write_fragments(pa.concat_tables(held), address, mode="append", storage_options=options)
            )
        held.clear()

    for table in tables:
        held.append(table)
        if sum(part.nbytes for part in held) >= APPENDED_FILE_BYTES:
            write()
    if held:
        write()
    if fragments:
        commit_fragments(path, name, fragments, whole)


def commit_fragments(path: str, name: str, fragments: list[Any], whole: set[str]) -> bool:
    """Add files of rows to a table in one commit, see that they are on the disk, and say whether nobody else wrote."""
    import lance

    with translate_errors(path, "write"):
        before = open_dataset(path, name).version
        after = lance.LanceDataset.commit(
            table_address(path, name), lance.LanceOperation.Append(fragments), read_version=before,
            storage_options=storage_options(path),
        )  # fmt: skip
    undo_if_torn(path, name, whole, rows_were_moved=False)
    return bool(after.version == before + 1)


def undo_if_torn(path: str, name: str, whole: set[str], *, rows_were_moved: bool) -> None:
    """Take back a commit whose files did not reach the disk whole.

    Args:
        path: of the store.
        name: of the table.
        whole: data files that are known to be whole; those that are found to be are added.
        rows_were_moved: the commit rewrote rows, and did not only add some.

    Raises:
        StoreError: it was taken back.
    """
    if not is_local(path):
        return
    folder = Path(path) / f"{name}.lance"
    with translate_errors(path, "read"):
        newest = open_dataset(path, name)
        torn = torn_files(newest, folder, whole)
        if not torn:
            with suppress(OSError):  # who may write rows may not be able to add one more file: nothing is wrong yet
                checksums.record(newest, folder)
            return
        if rows_were_moved:
            step_back(table_address(path, name), folder)
        else:  # what others added meanwhile stays
            import lance

            operation = lance.LanceOperation.Delete([], torn_fragments(newest, folder), "a write failed")
            lance.LanceDataset.commit(table_address(path, name), operation, read_version=newest.version)
    raise StoreError(
        f"a write to the store {path} did not reach the disk whole ({torn[0]}) and was undone; see that the disk has "
        "space, then run it again"
    )


def sync_tables(path: str, since: float) -> None:
    """Put all that was written to the tables since a time (of `time.time`) on the disk, before a commit counts.

    Raises:
        StoreError: the disk cannot be written.
    """
    if is_local(path):
        with translate_errors(path, "sync"):
            for name in TABLES:
                sync(Path(path) / f"{name}.lance", since)
            sync(Path(path) / checksums.FOLDER, since)


def set_metadata(path: str, name: str, values: dict[str, str | None]) -> None:
    """Change a table's metadata in one commit; None removes a key."""
    with translate_errors(path, "write"):
        open_dataset(path, name).update_schema_metadata(values)


def _forget_incomplete_scenes(path: str) -> None:
    """Remove the rows of scenes that have fewer tiles than were made of them."""
    from pyarrow.compute import field

    tiles, scenes = open_dataset(path, "tiles"), open_dataset(path, "scenes")
    counts = Counter(tiles.to_table(["scene_id"])["scene_id"].to_pylist())
    lacking = [
        record["id"]
        for record in scenes.to_table(["id", "account"]).to_pylist()
        if counts[record["id"]] < json.loads(record["account"]).get("made", 0)
    ]
    if lacking:
        delete(path, "scenes", field("id").isin(lacking))


def delete(path: str, name: str, where: pc.Expression | str) -> None:
    """Delete rows of a table in one commit.

    Raises:
        StoreError: the table cannot be written.
    """
    with translate_errors(path, "write"):
        open_dataset(path, name).delete(where)


def _existing_tables(path: str) -> set[str]:
    """Return the names of the tables that a store has."""
    if is_local(path):
        return {name for name in TABLES if has_version(Path(path) / f"{name}.lance")}
    return {name for name in TABLES if find_dataset(path, name) is not None}


def _check_schema(path: str, table: Any) -> None:
    found = (table.schema.metadata or {}).get(SCHEMA_KEY.encode(), b"").decode()
    if not found:
        raise StoreError(f"{path} is a LanceDB database, but not a geocmer store; give --store another folder")
    if found != SCHEMA_VERSION:
        raise StoreError(
            f"the store {path} has schema version {found}, this geocmer reads {SCHEMA_VERSION}; "
            "use the geocmer that made it, or tile the scenes again into a new store"
        )


def _refuse_foreign(path: Path) -> None:
    """Refuse to mix a store into a folder of other things: somebody would one day delete it with them.

    Raises:
        StoreError: the path is a file, or a folder with other files and no store.
    """
    if path.exists() and not path.is_dir():
        raise StoreError(f"{path} is a file; name a folder for the store")
    if path.is_dir() and any(path.iterdir()) and not any((path / f"{name}.lance").exists() for name in TABLES):
        raise StoreError(f"{path} holds other files and no store; name a new folder with --store")
