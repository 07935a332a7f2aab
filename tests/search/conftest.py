"""The store of `world`, without a memory-mapped cache and with one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from synthetic import filled, scene
from world import EMBEDDED, ROWS, VECTORS

from geocmer.store import mmap_cache
from geocmer.store.store import Store


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = filled(tmp_path_factory.mktemp("search") / "store", ROWS[:EMBEDDED], VECTORS[:EMBEDDED])
    store.add_tiles(ROWS[EMBEDDED:])
    for number in range(3):
        store.add_scene(scene(number))
    return store


@pytest.fixture(scope="module")
def cached_world(world: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The same store with a memory-mapped cache whose blocks are small, scored by the compiled product."""
    path = tmp_path_factory.mktemp("search") / "copy"
    shutil.copytree(world.path, path)
    store = Store.open(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geocmer.store.mmap_cache.BLOCK_ROWS", 7)
        patch.setattr("geocmer.store.mmap_source.MAPPED_ROWS", 80)
        patch.setattr("geocmer.search.dot.NUMBA_MIN_ROWS", 50)
        assert mmap_cache.build_cache(store.snapshot()) is not None
        yield store
