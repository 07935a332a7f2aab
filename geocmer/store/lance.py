"""LanceDB as a store uses it: finding and making the tables, safe upserts, metadata, upkeep.

Tables are read, and their files tended, through pylance, on which LanceDB stands: it is imported in a quarter of the
time, and a search writes nothing. What is done here in an unusual way was measured first; the docstrings say what went
wrong with the usual one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from . import checksums
from .address import storage_options
from .durability import has_version, step_back, sync, torn_files, torn_fragments
from .scene_row import scenes_schema
from .schema import SCHEMA_KEY, SCHEMA_VERSION, tiles_schema

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = ("tiles", "scenes")
APPENDED_FILE_BYTES = 64 * 2**20
"""Rows that an append holds before they become a file."""
METADATA_CACHE_BYTES = 32 * 2**20
"""Of what Lance keeps of tables and files, in a process: left to itself it keeps that of every version that a long run
makes, 0.25 MB for each scene (measured)."""
INDEX_CACHE_BYTES = 512 * 2**20
"""Of indices: that of a million vectors takes 80 MB."""


def open_tables(path: str) -> dict[str, Any]:
    """Open the tables of a store that exists, by name, to read from.

    Raises:
        StoreError: `path` is no store, an incomplete one, or one of another schema version.
    """
    if is_local(path) and not Path(path).exists():
        raise StoreError(f"there is no store at {path}; make one with `geocmer tile SCENE --store {path}`")
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


def open_dataset(path: str, name: str, version: int | None = None) -> Any:
    """Open a table to read from, as pylance has it, at its newest version or an earlier one.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    import lance

    with translate_errors(path, "read"):
        return lance.dataset(
            _address(path, name), version=version, session=_reading_session(), storage_options=storage_options(path)
        )


def open_table(path: str, name: str) -> Any:
    """Open a table to write to, as LanceDB has it.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    with translate_errors(path, "open"):
        return _connect(path).open_table(name)


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
    with translate_errors(path, "make"):
        database = _connect(path)
        for name, schema in zip(TABLES, (tiles_schema(), scenes_schema()), strict=True):
            if name not in present:
                database.create_table(name, schema=schema, exist_ok=True)  # another process may be as far


def is_local(path: str) -> bool:
    """Return whether a store's path is a folder, and not the address of an object store."""
    return "://" not in path


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
        done = {name: step_back(_address(path, name), Path(path) / f"{name}.lance", read_all) for name in TABLES}
        if done["tiles"]:
            _forget_incomplete_scenes(path)
    return [note for note in done.values() if note]


def upsert(
    path: str, table: Any, rows: pa.Table, whole: set[str], *, insert: bool = False, update: bool = False
) -> int:
    """Write rows by `id` in one commit, see that they are on the disk, and return how many were new.

    All of this is needed, or two concurrent writers double rows in silence: the key declared in the schema and not
    nullable, in the table and in `rows`, and `use_index(False)`.
    """
    builder = table.merge_insert("id").use_index(False)
    builder = builder.when_matched_update_all() if update else builder
    builder = builder.when_not_matched_insert_all() if insert else builder
    with translate_errors(path, "write"):
        new = int(builder.execute(rows).num_inserted_rows)
    undo_if_torn(path, table.name, whole, rows_were_moved=update)
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
    address = _address(path, name)

    def write() -> None:
        with translate_errors(path, "write"):
            fragments.extend(lance.fragment.write_fragments(pa.concat_tables(held), address, mode="append"))
        held.clear()

    for table in tables:
        held.append(table)
        if sum(part.nbytes for part in held) >= APPENDED_FILE_BYTES:
            write()
    if held:
        write()
    if fragments:
        with translate_errors(path, "write"):
            version = open_dataset(path, name).version
            lance.LanceDataset.commit(address, lance.LanceOperation.Append(fragments), read_version=version)
        undo_if_torn(path, name, whole, rows_were_moved=False)


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
            step_back(_address(path, name), folder)
        else:  # what others added meanwhile stays
            import lance

            operation = lance.LanceOperation.Delete([], torn_fragments(newest, folder), "a write failed")
            lance.LanceDataset.commit(_address(path, name), operation, read_version=newest.version)
    raise StoreError(
        f"a write to the store {path} did not reach the disk whole ({torn[0]}) and was undone; see that the disk has "
        "space, then run it again"
    )


def sync_tables(path: str, since: float) -> None:
    """Have all that was written to the tables since a time (of `time.time`) on the disk, before a commit counts.

    Raises:
        StoreError: the disk cannot be written.
    """
    if is_local(path):
        with translate_errors(path, "sync"):
            for name in TABLES:
                sync(Path(path) / f"{name}.lance", since)
            sync(Path(path) / checksums.FOLDER, since)


def set_metadata(path: str, name: str, values: dict[str, str | None]) -> None:
    """Change a table's metadata in one commit; None removes a key. LanceDB's own tables cannot, so pylance does."""
    with translate_errors(path, "write"):
        open_dataset(path, name).update_schema_metadata(values)


@contextmanager
def translate_errors(path: str, doing: str) -> Iterator[None]:
    """Raise in one line what LanceDB and the file system raise: no space, no permission, damaged files.

    Args:
        path: of the store.
        doing: what fails, as a verb.

    Raises:
        StoreError: for every error of LanceDB, Arrow and the file system.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # Arrow's errors, where rows are streamed, are ValueErrors
        reason = str(error).split(", /")[0].splitlines()[0]  # LanceDB appends the place in its own source
        raise StoreError(
            f"cannot {doing} the store {path}: {reason}; check the disk, then run it again, or "
            f"`geocmer doctor --fix --store {path}`"
        ) from error


def _connect(path: str) -> Any:
    import lancedb

    always_newest = timedelta(0)  # see other processes' commits
    return lancedb.connect(
        path, read_consistency_interval=always_newest, session=_writing_session(),
        storage_options=storage_options(path),
    )  # fmt: skip


@cache
def _reading_session() -> Any:
    import lance

    return lance.Session(index_cache_size_bytes=INDEX_CACHE_BYTES, metadata_cache_size_bytes=METADATA_CACHE_BYTES)


@cache
def _writing_session() -> Any:
    import lancedb

    return lancedb.Session(index_cache_size_bytes=INDEX_CACHE_BYTES, metadata_cache_size_bytes=METADATA_CACHE_BYTES)


def _address(path: str, name: str) -> str:
    return f"{path.rstrip('/')}/{name}.lance"


def _forget_incomplete_scenes(path: str) -> None:
    """Remove the rows of scenes that have fewer tiles than were made of them."""
    tiles, scenes = open_dataset(path, "tiles"), open_dataset(path, "scenes")
    counts = Counter(tiles.to_table(["scene_id"])["scene_id"].to_pylist())
    lacking = [
        record["id"]
        for record in scenes.to_table(["id", "account"]).to_pylist()
        if counts[record["id"]] < json.loads(record["account"]).get("made", 0)
    ]
    if lacking:
        from lancedb.expr import col, lit

        table = open_table(path, "scenes")
        for name in lacking:
            table.delete((col("id") == lit(name)).to_sql())


def _existing_tables(path: str) -> set[str]:
    """Return the names of the tables that a store has."""
    if is_local(path):
        return {name for name in TABLES if has_version(Path(path) / f"{name}.lance")}
    with translate_errors(path, "open"):
        return set(_connect(path).list_tables().tables) & set(TABLES)


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
    """A store is not mixed into a folder of other things: somebody would one day delete it with them."""
    if path.exists() and not path.is_dir():
        raise StoreError(f"{path} is a file; name a folder for the store")
    if path.is_dir() and any(path.iterdir()) and not any((path / f"{name}.lance").exists() for name in TABLES):
        raise StoreError(f"{path} holds other files and no store; name a new folder with --store")
