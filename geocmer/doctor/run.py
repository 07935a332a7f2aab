"""What is not as it should be in a store, and repairing what can be made again.

Nothing is ever removed that only the user has: a repair merges, rebuilds, clears what nobody reads, takes out a vector
that is none, or the second copy of a row. What takes pixels or a model is left to the command that is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .._types import Progress
from ..errors import StoreError
from ..store.store import Store
from .checks import check_encoder, check_indices, check_rows, check_scenes, check_size
from .repairs import REPAIRS, repair_caches
from .report import Finding, Report


def doctor(store: Store, mend: bool = False, quick: bool = False, progress: Progress | None = None) -> Report:
    """Look a store over, and mend it if asked to.

    Args:
        store: the newest version of one.
        mend: otherwise nothing is written.
        quick: do not read the scenes to compare their content, only see whether they are there.
        progress: (done, total) scenes.

    Raises:
        StoreError: it cannot be written.
    """
    notes: list[str] = []
    sources = list(check_scenes(store, quick, progress))
    found = list(_look(store, notes))
    if quick:
        notes.append("whether scenes have changed was not looked at: it takes reading them; leave --quick out")
    if not mend:
        return Report((*found, *sources), tuple(notes))
    for kind, remedy in REPAIRS.items():
        for finding in found:
            if finding.kind == kind:
                remedy(store, finding)
    repair_caches(store)  # last: a copy of what is now there
    after = list(_look(store, []))
    left = {finding.kind for finding in after}
    done = [replace(finding, mended=True) for finding in found if finding.kind not in left]
    return Report((*done, *after, *sources), tuple(notes))


def _look(store: Store, notes: list[str]) -> Iterator[Finding]:
    """Everything but the scenes' files."""
    try:
        yield from check_rows(store)
        yield from check_encoder(store, notes)
        yield from check_indices(store)
        yield from check_size(store)
    except StoreError as error:
        remedy = "put the store back from a backup, or tile the scenes again into a new store: their tiles are the same"
        versions = [version for version in store.versions() if version.rows][:-1]
        if versions:
            remedy += f"; an earlier version may be whole: --as-of {versions[-1].number}"
        yield Finding("unreadable", "of the store's files cannot be read", 1, str(error), remedy)
