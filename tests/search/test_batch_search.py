"""Many queries in one pass give the answers of one search each, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import DIM, filled, tile, unit

from geocmer.errors import InputError
from geocmer.search import batch_candidates, batch_search
from geocmer.search.batch_search import nearest_tiles_of_each
from geocmer.search.dot import cross_dots
from geocmer.search.results import Answer
from geocmer.search.vector_search import nearest_tiles
from geocmer.store import Filter, Store
from geocmer.store.mmap_cache import build_cache

N = 500


@pytest.fixture(scope="module", params=["tables", "cache"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Tiles that overlap in threes, many of them with equal vectors, some without one."""
    vectors = unit(60, DIM, seed=2)[np.random.default_rng(0).integers(0, 60, N)]
    rows = [tile(n, west=(n // 3) * 0.2 % 170, south=n // 300, category=("forest", None)[n % 2]) for n in range(N + 9)]
    made = filled(tmp_path_factory.mktemp("batch") / "store", rows[:N], vectors)
    made.add_tiles(rows[N:])
    if request.param == "cache":
        assert build_cache(made.snapshot()) is not None
    return Store.open(made.path)


def told(answers: Iterator[Answer] | list[Answer]) -> list[tuple[Any, ...]]:
    return [(a.rowids.tolist(), a.scores.tobytes(), a.plan.matched, a.plan.hidden, a.plan.unembedded) for a in answers]


@settings(max_examples=examples(15))
@given(
    count=st.integers(0, 9),
    k=st.sampled_from([1, 3, 10, 2 * N]),
    keep=st.sampled_from(["best", None]),
    min_score=st.sampled_from([None, -1.0, 0.2, 2.0]),
    category=st.sampled_from([None, "forest"]),
    first=st.sampled_from([5, 1024]),
    block=st.sampled_from([7, 64, 4096]),
    shared=st.sampled_from([1, 12, 2000]),
    group=st.sampled_from([2, 1024]),
    in_8_bits=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_answers_are_those_of_one_search_each(
    store: Store, count: int, k: int, keep: Any, min_score: float | None, category: str | None, first: int, block: int,
    shared: int, group: int, in_8_bits: bool, seed: int,
) -> None:  # fmt: skip
    vectors = list(unit(count + 1, DIM, seed=seed)) + list(unit(60, DIM, seed=2)[:count])  # also those of tiles
    filter = Filter(category=category)
    one_by_one = [
        nearest_tiles(store, vector, filter=filter, k=k, keep=keep, min_score=min_score) for vector in vectors
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_candidates, "FIRST_ROWS", first)
        patch.setattr(batch_candidates, "BLOCK_ROWS", block)
        patch.setattr(batch_candidates, "GROUP_QUERIES", group)
        patch.setattr(batch_candidates, "is_faster", lambda _: in_8_bits)
        patch.setattr(batch_search, "SHARED_HITS", shared)
        together = list(nearest_tiles_of_each(store, vectors, filter=filter, k=k, keep=keep, min_score=min_score))
    assert told(together) == told(one_by_one)
    for place in (0, -1, 0):  # the second time they are read by themselves
        assert together[place].hits == one_by_one[place].hits
    assert all((answer.vector == vector).all() for answer, vector in zip(together, vectors, strict=True))


def test_products_of_all_are_those_of_each() -> None:
    vectors, queries = unit(300, 384, seed=1).astype(np.float16), unit(20, 384, seed=2)
    exact = queries.astype(np.float64) @ vectors.astype(np.float64).T
    assert np.abs(cross_dots(vectors, queries) - exact).max() < 386 * 2.0**-24


def test_nothing_is_asked(store: Store) -> None:
    assert list(nearest_tiles_of_each(store, [])) == []
    with pytest.raises(InputError, match="k is 0"):
        list(nearest_tiles_of_each(store, [unit(1)[0]], k=0))
    with pytest.raises(InputError, match="zero or not finite"):
        list(nearest_tiles_of_each(store, [unit(1)[0], np.zeros(DIM)]))
    with pytest.raises(InputError, match="no tile has the category 'lake'"):
        list(nearest_tiles_of_each(store, [unit(1)[0]], filter=Filter(category="lake")))


def test_no_tiles(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(1)], unit(1))
    assert [len(a) for a in nearest_tiles_of_each(store, list(unit(3)), filter=Filter(gsd=(1e6, None)))] == [0, 0, 0]
