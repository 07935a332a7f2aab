"""The repairs of the doctor."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from ..search.vector_search import WIDE
from ..store import mmap_cache
from ..store.store import Store
from .inventory import Census
from .report import Finding


def repair_caches(store: Store) -> None:
    """Remove wrong and stale memory-mapped copies, and make one where the store is large."""
    snapshot = store.snapshot()
    copy = mmap_cache.fresh(snapshot)
    if copy is not None and Census.of(snapshot).unlike:
        shutil.rmtree(copy.folder, ignore_errors=True)
        snapshot.cache.pop("sidecar")
    stale = mmap_cache.stale(snapshot)
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)
    if (stale or copy is not None) and snapshot.count() >= WIDE and mmap_cache.fresh(snapshot) is None:
        mmap_cache.build(snapshot)


def _forget(store: Store, finding: Finding) -> None:
    info = store.encoder
    if info is not None:
        store.set_vectors(info, finding.rows, None)


REPAIRS: dict[str, Callable[[Store, Finding], None]] = {
    "double": lambda store, finding: store.remove_doubles(finding.rows),
    "vector": _forget,
    "index": lambda store, _: store.upkeep(),
    "fragments": lambda store, _: store.upkeep(),
    "old versions": lambda store, _: store.upkeep(),
    "leftover": lambda store, _: store.sweep(),
}
"""What each finding is mended by, in this order; sidecars come after all of them."""
