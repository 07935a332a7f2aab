"""Keeping a table small and quick: merging fragments, clearing versions, removing files that nothing holds."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from . import checksums, versions
from .connection import is_local, open_dataset, translate_errors
from .durability import sync
from .lance import undo_if_torn
from .leases import leased_versions

LEVELS = ((0, 4_096, 48), (4_096, 131_072, 32))
"""(least rows, most rows, fragments of that size which upkeep leaves): more are merged. In two levels, so that a row is
rewritten about twice on its way into a large fragment, and not each time that some more are added."""
ORPHAN_AGE = timedelta(days=7)
"""A data file this old that no version holds was left by a write that never ended: Lance's own measure."""
CENTURY = timedelta(days=36_500)
"""No version is as old."""
MAX_DELETED_SHARE = 0.1
"""Upkeep rewrites fragments once this share of their rows is deleted or replaced."""


def compact(path: str, name: str) -> None:
    """Merge small fragments, bring indices up to date, clear versions that nobody reads any more.

    Another writer may commit first, and then this gives up: nothing is lost, and the next call does the work.
    """
    began = time.time()
    with suppress(OSError, RuntimeError):
        for _, rows, _ in LEVELS:
            if rows in levels_to_compact(open_dataset(path, name)):
                open_dataset(path, name).optimize.compact_files(target_rows_per_fragment=rows)
                undo_if_torn(path, name, set(), rows_were_moved=True)
        open_dataset(path, name).optimize.optimize_indices()
        if is_local(path):  # what is merged must be on the disk before what it was merged from goes
            sync(Path(path) / f"{name}.lance", began)
        folder = _folder(path, name)
        versions.clear_versions(open_dataset(path, name), folder)
        if folder is not None:
            checksums.forget(folder)


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
    old -= leased_versions(folder) if folder is not None else set()
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


def _folder(path: str, name: str) -> Path | None:
    return Path(path) / f"{name}.lance" if is_local(path) else None
