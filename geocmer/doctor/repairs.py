"""The repairs of the doctor."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress

from ..errors import StoreError
from ..store import mmap_cache
from ..store.store import Store
from .inventory import Inventory
from .report import Finding


def repair_caches(store: Store) -> None:
    """Remove wrong and stale memory-mapped caches, and make one where the store is large."""
    snapshot = store.snapshot()
    cache = mmap_cache.find_cache(snapshot)
    if cache is not None and Inventory.of(snapshot).cache_mismatches:
        mmap_cache.remove_cache(snapshot, cache)
    stale = mmap_cache.stale_folders(snapshot)
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)
    had_one = bool(stale) or cache is not None
    if had_one and snapshot.count() >= mmap_cache.CACHE_MIN_ROWS and mmap_cache.find_cache(snapshot) is None:
        mmap_cache.build_cache(snapshot)


def step_back(store: Store, _: Finding) -> None:
    """Step back to the newest whole version; where there is none, the finding stays."""
    with suppress(StoreError):
        store.recover()


def take_out_damage(store: Store, _: Finding) -> None:
    """Step back to what is as it was written; where nothing is, the finding stays."""
    with suppress(StoreError):
        store.recover(read_all=True)


def remove_vectors(store: Store, finding: Finding) -> None:
    """Take the vectors of a finding's tiles out, so that the next embedding makes them anew."""
    info = store.encoder
    if info is not None:
        store.set_vectors(info, finding.rows, None)


REPAIRS: dict[str, Callable[[Store, Finding], None]] = {
    "torn": step_back,
    "damaged": take_out_damage,
    "dead vectors": lambda store, _: store.upkeep(),
    "duplicate": lambda store, finding: store.remove_duplicates(finding.rows),
    "vector": remove_vectors,
    "index": lambda store, _: store.upkeep(),
    "fragments": lambda store, _: store.upkeep(),
    "old versions": lambda store, _: store.upkeep(),
    "orphan": lambda store, _: store.clean_orphans(),
}
"""The repair of each kind of finding, in this order; memory-mapped caches come after all of them."""
