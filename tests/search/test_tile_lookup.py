"""Tiles by id, against a scan of the whole store."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import filled, tile, unit

from geocmer.search import tile_lookup
from geocmer.search.tile_lookup import find_tiles
from geocmer.search.vector_search import iter_tiles


def test_tiles_are_found_by_their_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path / "store", [tile(n, west=n / 10, thumbnail=bytes([n])) for n in range(30)], unit(30))
    every = {hit.id: hit for hit in iter_tiles(store)}
    monkeypatch.setattr(tile_lookup, "MAX_IDS", 4)
    wanted = [f"{n:032x}" for n in (29, 3, 3, 14, 15, 16, 0)]
    found = find_tiles(store.snapshot(), [*wanted, "f" * 32, "x' OR 1=1"])
    assert set(found) == set(wanted)
    for name, hit in found.items():
        true = every[name]
        assert (hit.row, hit.thumbnail, hit.geometry, hit.score) == (true.row, true.thumbnail, true.geometry, None)
    assert find_tiles(store.snapshot(), []) == {}
