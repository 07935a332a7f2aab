"""LanceDB as a store uses it: finding and making the tables, safe upserts, metadata, upkeep.

Tables are read, and their files tended, through pylance, on which LanceDB stands: it is imported in a quarter of the
time, and a search writes nothing. What is done here in an unusual way was measured first; the docstrings say what went
wrong with the usual one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from . import versions
from .schema import SCHEMA_KEY, SCHEMA_VERSION, scenes_schema, tiles_schema

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = ("tiles", "scenes")
LEVELS = ((0, 4_096, 48), (4_096, 131_072, 32))
"""(least rows, most rows, fragments of that size which upkeep leaves): more are merged. In two levels, so that a row is
rewritten about twice on its way into a large fragment, and not each time that some more are added."""
ORPHAN_AGE = timedelta(days=7)
"""A data file this old that no version holds was left by a write that never ended: LanceDB's own measure."""
CENTURY = timedelta(days=36_500)
"""No version is as old."""
MAX_DELETED_SHARE = 0.1
"""Upkeep rewrites fragments once this share of their rows is deleted or replaced."""


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
        return lance.dataset(f"{path.rstrip('/')}/{name}.lance", version=version)


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


def upsert(path: str, table: Any, rows: pa.Table, *, insert: bool = False, update: bool = False) -> int:
    """Write rows by `id` in one commit, and return how many were new.

    All of this is needed, or two concurrent writers double rows in silence: the key declared in the schema and not
    nullable, in the table and in `rows`, and `use_index(False)`.
    """
    builder = table.merge_insert("id").use_index(False)
    builder = builder.when_matched_update_all() if update else builder
    builder = builder.when_not_matched_insert_all() if insert else builder
    with translate_errors(path, "write"):
        return int(builder.execute(rows).num_inserted_rows)


def set_metadata(path: str, name: str, values: dict[str, str | None]) -> None:
    """Change a table's metadata in one commit; None removes a key. LanceDB's own tables cannot, so pylance does."""
    with translate_errors(path, "write"):
        open_dataset(path, name).update_schema_metadata(values)


def compact(path: str, name: str) -> None:
    """Merge small fragments, bring indices up to date, clear versions that nobody reads any more.

    Another writer may commit first, and then this gives up: nothing is lost, and the next call does the work.
    """
    with suppress(OSError, RuntimeError):
        for _, rows, _ in LEVELS:
            if rows in levels_to_compact(open_dataset(path, name)):
                open_dataset(path, name).optimize.compact_files(target_rows_per_fragment=rows)
        open_dataset(path, name).optimize.optimize_indices()
        versions.clear_versions(open_dataset(path, name), _folder(path, name))


def levels_to_compact(table: Any) -> list[int]:
    """Return the levels at which fragments are to be merged: too many are small, or hold what is no longer read."""
    fragments = [fragment.metadata for fragment in table.get_fragments()]
    sizes = [fragment.physical_rows for fragment in fragments]
    levels = [most for least, most, loose in LEVELS if sum(least <= size < most for size in sizes) > loose]
    live = _field_ids(table.lance_schema.fields())
    stale = [fragment for fragment in fragments if any(not live.issuperset(file.fields) for file in fragment.files)]
    dropped = sum(fragment.physical_rows < LEVELS[-1][1] for fragment in stale) > 1  # one alone is not rewritten
    deleted = sum(fragment.num_deletions for fragment in fragments) > MAX_DELETED_SHARE * sum(sizes)
    return [*levels, LEVELS[-1][1]] if dropped or deleted else levels


@dataclass(frozen=True, slots=True)
class PendingMaintenance:
    """The maintenance that a table needs.

    Attributes:
        fragments: how many the table has, 0 if none are to be merged.
        versions: numbers of the versions that can be cleared.
        orphans: data files that no version holds, a week old and more.
    """

    fragments: int
    versions: list[int]
    orphans: list[Path]


def pending_maintenance(path: str, name: str) -> PendingMaintenance:
    """Return what `compact` and `clean_orphans` would do; files are only looked at in a local folder."""
    table, folder = open_dataset(path, name), _folder(path, name)
    found, now = versions.list_versions(table), datetime.now(UTC)
    old = {*versions.superseded(found, now), *versions.versions_over_budget(table, found, folder, now)}
    orphans: list[Path] = []
    if folder is not None:
        held = versions.data_files(table, found)
        aged = now.timestamp() - ORPHAN_AGE.total_seconds()
        data = sorted((folder / "data").glob("*.lance"))
        orphans = [file for file in data if file.name not in held and file.stat().st_mtime < aged]
    return PendingMaintenance(len(table.get_fragments()) if levels_to_compact(table) else 0, sorted(old), orphans)


def clean_orphans(path: str, name: str) -> None:
    """Remove the orphans of a table; Lance spares what is younger than a week. No version is cleared."""
    with translate_errors(path, "write"):
        open_dataset(path, name).cleanup_old_versions(older_than=CENTURY)


def _field_ids(fields: list[Any]) -> set[int]:
    """Collect the ids of columns and what is nested in them; a data file with others holds dropped columns."""
    return {field.id() for field in fields}.union(*(_field_ids(field.children()) for field in fields))


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
        raise StoreError(f"cannot {doing} the store {path}: {reason}; check the disk, then run it again") from error


def _connect(path: str) -> Any:
    import lancedb

    return lancedb.connect(path, read_consistency_interval=timedelta(0))  # always see other processes' commits


def _folder(path: str, name: str) -> Path | None:
    return Path(path) / f"{name}.lance" if is_local(path) else None


def _existing_tables(path: str) -> set[str]:
    """Return the names of the tables that a store has."""
    if is_local(path):
        return {name for name in TABLES if (Path(path) / f"{name}.lance").is_dir()}
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
