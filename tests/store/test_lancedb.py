"""A store is a LanceDB database, though geocmer reads and writes it without LanceDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from synthetic import contents, filled, tile, unit

from geocmer.store.store import Store


def test_a_store_opens_in_lancedb(tmp_path: Path) -> None:
    vectors = unit(60)
    store = filled(tmp_path / "store", [tile(n) for n in range(60)], vectors)
    encoder = store.snapshot().encoder
    assert encoder is not None
    import lancedb

    table = lancedb.connect(store.path).open_table("tiles")
    query: Any = table.search(vectors[7], vector_column_name=encoder.column)
    found = query.distance_type("dot").limit(5).to_list()
    best = np.argsort(-(vectors @ vectors[7]), kind="stable")[:5]
    assert [row["id"] for row in found] == [tile(n).id for n in best]


def test_what_lancedb_removes_is_gone(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(9)], unit(9))
    import lancedb

    lancedb.connect(store.path).open_table("tiles").delete(f"id = '{tile(4).id}'")
    rest = contents(Store.open(store.path))
    assert [row["id"] for row in rest] == [tile(n).id for n in range(9) if n != 4]
