"""Examine a store, and fix what can be made again.

Nothing is ever removed that only the user has: a repair merges, rebuilds, clears what nobody reads, takes out a vector
that is none, or the second copy of a row. What takes pixels or a model is left to the command that is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .._types import Progress
from ..errors import StoreError
from ..store.store import Store
from .checks import CHECKS, Subject, torn_files
from .repairs import REPAIRS, repair_caches
from .report import Finding, Report
from .scene_files import scene_files


def examine(store: Store, fix: bool = False, quick: bool = False, progress: Progress | None = None) -> Report:
    """Run every check on a store, and fix what they find if asked to.

    Args:
        store: the newest version of one.
        fix: otherwise nothing is written.
        quick: do not read the scenes to compare their content, only see whether they are there.
        progress: (done, total) scenes.

    Raises:
        StoreError: it cannot be written.
    """
    subject = Subject(store, quick)
    found = list(_findings(subject))
    scenes = list(scene_files(subject, quick, progress))
    notes = list(subject.notes)
    if quick:
        notes.append(
            "whether scenes have changed or files are damaged was not checked: it takes reading them; leave --quick out"
        )
    if not fix:
        return Report((*found, *scenes), tuple(notes))
    for kind, repair in REPAIRS.items():
        for finding in found:
            if finding.kind == kind:
                repair(store, finding)
    repair_caches(store)  # last: they are copies of the rows as they are now
    remaining = list(_findings(Subject(store, quick)))
    kinds = {finding.kind for finding in remaining}
    fixed = [replace(finding, fixed=True) for finding in found if finding.kind not in kinds]
    return Report((*fixed, *remaining, *scenes), tuple(notes))


def _findings(subject: Subject) -> Iterator[Finding]:
    """Yield the findings of all checks; a store that cannot be read is one, and ends them."""
    try:
        for check in CHECKS:
            found = list(check(subject))
            yield from found
            if check is torn_files and found:  # the other checks would read them
                return
    except StoreError as error:
        remedy = "put the store back from a backup, or tile the scenes again into a new store: their tiles are the same"
        versions = [version for version in subject.store.versions() if version.rows][:-1]
        if versions:
            remedy += f"; an earlier version may be whole: --as-of {versions[-1].number}"
        yield Finding("unreadable", "of the store's files cannot be read", 1, str(error), remedy)
