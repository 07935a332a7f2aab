"""The store of `world`, without a memory-mapped cache and with one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from synthetic import cached_copy, filled, scene
from world import EMBEDDED, ROWS, VECTORS

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
    with cached_copy(world, tmp_path_factory.mktemp("search") / "copy", mapped_rows=80, block_rows=7) as store:
        yield store
