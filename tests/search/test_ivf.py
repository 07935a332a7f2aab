"""Approximate search: what it finds is scored exactly, what it may miss is measured, and it is never the default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import ENCODER, OTHER, filled, tile, unit

from geocmer.errors import InputError, StoreError
from geocmer.geometry.bbox import BBox
from geocmer.search import ivf, ivf_build
from geocmer.search.ivf import IvfIndex
from geocmer.search.vector_search import nearest_tiles
from geocmer.store import Filter, Store

N = 2000
VECTORS = unit(N)
ROWS = [
    tile(n, west=(n % 50) * 0.2, south=(n // 50) * 0.2, fractions={"water": n % 10 / 10, "forest": 1 - n % 10 / 10})
    for n in range(N)
]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, IvfIndex]]:
    store = filled(tmp_path_factory.mktemp("ivf") / "store", ROWS, VECTORS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ivf_build, "INDEX_MIN_TILES", N)
        yield store, ivf_build.build_index(store, unit(20, seed=1))


def test_the_index_is_measured_and_found_again(indexed: tuple[Store, IvfIndex]) -> None:
    store, made = indexed
    assert made.queries == 20
    truth = [set(np.argsort(-VECTORS.astype("f2").astype("f8") @ q)[:10].tolist()) for q in unit(20, seed=1)]
    found = [{int(hit.id, 16) for hit in nearest_tiles(store, query, k=10, index=made)} for query in unit(20, seed=1)]
    shares = [len(a & b) / 10 for a, b in zip(found, truth, strict=True)]
    assert made.recall == pytest.approx(np.mean(shares))
    assert made.recall >= ivf_build.TARGET_RECALL
    assert IvfIndex.load(Store.open(store.path).snapshot()) == made


@pytest.mark.parametrize("k", [1, 10, 100])
@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"region": BBox(1, 1, 2.1, 2.1)},
        {"where": "water > 0.85"},
        {"region": BBox(3, 3, 3.05, 3.05), "where": "water > 0.5"},
    ],
)
def test_scores_are_exact_and_none_is_lost_to_a_filter(
    indexed: tuple[Store, IvfIndex], k: int, conditions: dict[str, Any]
) -> None:
    store, made = indexed
    for query in unit(5, seed=2):
        every = nearest_tiles(store, query, k=None, filter=Filter(**conditions))
        score = dict(zip(every.rowids.tolist(), every.scores.tolist(), strict=True))
        poor = IvfIndex(made.column, 1, 1, 0.1, 1)  # finds little in its first partition, and must go on
        for asked in (made, poor):
            answer = nearest_tiles(store, query, k=k, index=asked, filter=Filter(**conditions))
            assert len(answer) == min(k, len(every))
            assert answer.scores.tolist() == [score[row] for row in answer.rowids.tolist()]
            assert answer.scores.tolist() == sorted(answer.scores, reverse=True)
            assert not answer.plan.exact
            assert f"{asked.recall:.2f}" in answer.plan.lines()[0]


def test_tiles_added_later_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ivf_build, "INDEX_MIN_TILES", 1)
    store = filled(tmp_path / "store", ROWS[:1000], VECTORS[:1000])
    made = ivf_build.build_index(store, unit(5, seed=1))
    store.add_tiles(ROWS[1000:], VECTORS[1000:])
    for n in range(1000, N, 100):
        assert int(nearest_tiles(store, VECTORS[n], k=1, index=made).hits[0].id, 16) == n


def test_the_index_of_other_vectors_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ivf_build, "INDEX_MIN_TILES", 1)
    store = filled(tmp_path / "store", ROWS[:500], VECTORS[:500])
    assert IvfIndex.load(store.snapshot()) is None
    ivf_build.build_index(store, unit(5, seed=1))
    assert IvfIndex.load(store.snapshot()) is not None
    store.reembed(OTHER, lambda keys: unit(len(keys), OTHER.dim))
    assert IvfIndex.load(store.snapshot()) is None


def test_what_cannot_be_approximate_is_said(indexed: tuple[Store, IvfIndex], tmp_path: Path) -> None:
    store, made = indexed
    with pytest.raises(InputError, match="give k"):
        nearest_tiles(store, VECTORS[0], k=None, index=made)
    with pytest.raises(InputError, match="give k"):
        nearest_tiles(store, VECTORS[0], keep="newest", index=made)
    few = filled(tmp_path / "few", ROWS[:5], VECTORS[:5])
    assert ivf.INDEX_MIN_TILES > 5
    least = f"{ivf.INDEX_MIN_TILES}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ivf_build, "INDEX_MIN_TILES", ivf.INDEX_MIN_TILES)
        with pytest.raises(StoreError, match=f"5 tiles; below {least}"):
            ivf_build.build_index(few, unit(2))
    with pytest.raises(StoreError, match="no vectors yet"):
        ivf_build.build_index(filled(tmp_path / "bare", ROWS[:5], None), unit(2))
    assert ENCODER.column == made.column
