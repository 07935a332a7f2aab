"""Upkeep: what a store weighs after many writes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from synthetic import ENCODER, OTHER, contents, tile, unit

from geocmer.store import lance, maintenance, versions
from geocmer.store.schema import TileRow
from geocmer.store.store import Store
from geocmer.store.versions import GRACE


def _weight(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _pass_the_grace(store: Store) -> None:
    """Upkeep once nobody reads any version but the newest."""
    store.upkeep()
    later = datetime.now(UTC) + 2 * GRACE
    for name in lance.TABLES:
        versions.clear_versions(store._dataset(name), Path(store.path) / f"{name}.lance", later)


def _rows(start: int, count: int) -> list[TileRow]:
    noise = np.random.default_rng(start)
    return [tile(n, west=n % 1000 / 10, thumbnail=noise.bytes(2000)) for n in range(start, start + count)]


def test_many_small_writes_leave_a_small_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "LEVELS", ((0, 32, 8), (32, 256, 8)))
    store = Store.create(tmp_path / "store")
    store.add_encoder(ENCODER)
    for start in range(0, 300, 4):
        store.add_tiles(_rows(start, 4), unit(4, seed=start))
        if start % 40 == 36:
            store.upkeep()
    before = contents(store)
    _pass_the_grace(store)
    table = store.snapshot().dataset
    assert contents(store) == before
    assert len(before) == 300
    assert len(table.get_fragments()) <= 8 + 8 + 300 // 256
    assert _weight(tmp_path / "store") <= 1.5 * table.to_table().nbytes


def test_a_reembedding_leaves_no_old_vectors_on_the_disk(tmp_path: Path) -> None:
    store, wide = Store.create(tmp_path / "store"), type(OTHER)("ef" * 16, "fake-3", "", 256)
    store.add_encoder(wide)
    store.add_tiles([tile(n) for n in range(9000)], unit(9000, 256))
    other = type(OTHER)("12" * 16, "fake-4", "", 256)
    store.reembed(other, lambda keys: unit(len(keys), 256, seed=1))
    _pass_the_grace(store)
    assert store.snapshot().dataset.to_table(["id"]).num_rows == 9000
    assert _weight(tmp_path / "store") <= 1.5 * store.snapshot().dataset.to_table().nbytes


def test_old_versions_go_first_where_they_weigh_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round replaces every row after a quiet time: a version then weighs as much as the whole."""
    store = Store.create(tmp_path / "store")
    store.add_encoder(ENCODER)
    store.add_tiles(_rows(0, 50), unit(50))
    folder = tmp_path / "store" / "tiles.lance"
    ids = [tile(n).id for n in range(50)]

    def replace(word: str) -> None:
        store.set_categories(ids, [word] * 50, [None] * 50, [None] * 50)

    replace("a")
    there, later = versions.list_versions(store._dataset("tiles")), datetime.now(UTC) + GRACE / 2
    assert versions.superseded(there, later) == [], "somebody may read any of them"
    assert versions.versions_over_budget(store._dataset("tiles"), there, folder, datetime.now(UTC)) == [], (
        "nor is there any haste"
    )
    monkeypatch.setattr(versions, "MAX_EXTRA_SHARE", 1.5)
    assert versions.versions_over_budget(store._dataset("tiles"), there, folder, later) == [], (
        "one more is not too much"
    )
    replace("b")
    replace("c")
    there = versions.list_versions(store._dataset("tiles"))
    gone = versions.versions_over_budget(store._dataset("tiles"), there, folder, later)
    assert gone == [v.number for v in there if v.number <= there[-3].number], "the oldest, down to what is allowed"
    versions.clear_versions(store._dataset("tiles"), folder, later)
    assert [v.number for v in versions.list_versions(store._dataset("tiles"))] == [v.number for v in there[-2:]]
    assert {record["category"] for record in contents(store)} == {"c"}
    assert versions.versions_over_budget(store._dataset("tiles"), there[-2:], None, later) == [], "no folder, no weight"
