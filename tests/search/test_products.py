"""What a search is made of: exact products, the best of many, regions on a sphere."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest
import shapely
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import unit

from geocmer.geometry.bbox import BBox
from geocmer.geometry.region import Region
from geocmer.search import dot_numba
from geocmer.search.dot import dots, exact_dots, quantize_queries
from geocmer.search.dot_numba import exact_row_dots
from geocmer.search.topk import TopK
from geocmer.store.areas import inside
from geocmer.store.filter import Filter


@pytest.mark.parametrize(("n", "dim"), [(0, 8), (1, 3), (1024, 384), (2500, 37)])
def test_dots_of_float16_are_those_of_float64(n: int, dim: int) -> None:
    vectors, query = unit(n, dim, seed=1).astype(np.float16), unit(1, dim, seed=2)[0]
    assert dots(vectors, query) == pytest.approx(vectors.astype(np.float64) @ query.astype(np.float64), abs=1e-6)


def test_dots_read_every_finite_float16() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)]
    assert (dots(every.reshape(-1, 1), np.ones(1, np.float32)) == every.astype(np.float32)).all()


@pytest.mark.parametrize("natively", [True, False])
def test_compiled_code_reads_every_finite_float16(natively: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if natively and not dot_numba._HAS_FLOAT16:
        pytest.skip("this processor does not convert float16")
    monkeypatch.setattr(dot_numba, "_HAS_FLOAT16", natively)
    widen = dot_numba._widen

    def read(bits: Any, out: Any) -> None:
        for i in range(len(bits)):
            out[i] = widen(bits[i])

    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)]
    found = np.empty(len(every), np.float32)
    numba.njit(read)(every.view(np.int16), found)
    assert (found == every.astype(np.float32)).all()


@pytest.mark.parametrize("count", [1, 2])
def test_compiled_products_are_those_of_float64(count: int) -> None:
    vectors, queries = unit(300, 37, seed=1).astype(np.float16), unit(count, 37, seed=2).astype(np.float32)
    rows = np.random.default_rng(0).integers(0, 300, 500)
    exact = queries.astype(np.float64) @ vectors[rows].astype(np.float64).T
    assert dot_numba.row_dots(vectors, rows, queries) == pytest.approx(exact, abs=1e-6)


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 3))
@settings(max_examples=examples(10))
def test_exact_row_dots_are_the_same_in_any_order(seed: int, n: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(n, 384, seed).astype(np.float16)
    vectors[:, :5] = 2.0 ** -rng.integers(14, 25, (n, 5))  # some are subnormal
    queries = quantize_queries(2 * unit(count, 384, seed + 1))
    found = exact_dots(vectors, queries)
    assert (found == [[math.fsum(row.astype(float) * query) for row in vectors] for query in queries]).all()
    turn = rng.permutation(384)
    assert (exact_dots(np.ascontiguousarray(vectors[:, turn]), queries[:, turn]) == found).all()
    rows = rng.integers(0, n, 17)
    assert (exact_row_dots(vectors, rows, queries) == found[:, rows]).all()


@settings(max_examples=examples(20))
@given(st.integers(0, 10_000), st.none() | st.integers(1, 60), st.integers(1, 40))
def test_the_best_do_not_depend_on_the_batches(seed: int, k: int | None, step: int) -> None:
    vectors = unit(10, seed=seed)[np.random.default_rng(seed).integers(0, 10, 100)].astype(np.float16)
    ids = np.array([f"{n:032x}" for n in np.random.default_rng(seed + 1).permutation(100)], dtype="S32")
    topk = TopK(unit(1, seed=seed + 2)[0].astype(np.float64), k, None)
    for start in range(0, 100, step):
        part = slice(start, start + step)
        products, rowids = dots(vectors[part], topk.query_f32), np.arange(100, dtype=np.uint64)[part]
        topk.push_scored(products, vectors[part].__getitem__, rowids.__getitem__, ids[part].__getitem__)
    rows, scores = topk.ranked()
    exact = (vectors.astype(np.float64) * topk.query).sum(axis=1)
    expected = np.lexsort((ids, -exact))[:k]
    assert rows.tolist() == expected.tolist()
    assert scores.tolist() == exact[expected].tolist()


def test_only_footprints_on_the_edge_are_looked_at() -> None:
    shapes = np.array([shapely.box(x, y, x + 1, y + 1) for x in range(30) for y in range(30)], dtype=object)
    for region in (BBox(5.5, 5.5, 15.5, 15.5).to_shapely(), shapely.Point(15, 15).buffer(8)):
        asked: list[int] = []

        def footprints(rows: np.ndarray, asked: list[int] = asked) -> np.ndarray:
            asked.extend(rows.tolist())
            return shapes[rows]

        found = inside(Region(region, "a test"), shapely.bounds(shapes), footprints)
        assert (found == shapely.intersects(region, shapes)).all()
        assert len(asked) < found.sum() / 2


def test_a_region_of_many_parts_is_still_a_short_filter() -> None:
    dots_ = shapely.MultiPolygon([shapely.box(x, 0, x + 0.1, 0.1) for x in range(100)])
    where = Filter(Region(dots_, "a test")).prefilter(lambda: (0.1, 0.1, 180.0))
    assert where is not None
    assert len(str(where)) < 2000
