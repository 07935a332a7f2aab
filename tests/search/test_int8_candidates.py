"""Products of 8-bit numbers never lose a vector that a float64 product lets through."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from geocmer.search import dot_numba, int8_candidates
from geocmer.search.dot_numba import products_above
from geocmer.search.int8_candidates import Int8Queries

KINDS = ("normal", "one number stands out", "few numbers", "tiny numbers", "zero", "queries themselves")


def vectors_of(kind: str, queries: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors, or none, whose rounding to 8 bits is as different as can be."""
    found = rng.standard_normal((97, queries.shape[1]))
    if kind == "one number stands out":
        found[:, 3] *= 100
    elif kind == "few numbers":
        found[:, 2:] = 0
    elif kind == "tiny numbers":
        found[:, 2:] *= 1e-5
    elif kind == "queries themselves":
        found[: len(queries)] = queries
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return (found * (kind != "zero")).astype(np.float16)


@settings(max_examples=examples(25))
@given(
    kind=st.sampled_from(KINDS), dim=st.sampled_from([8, 33, 384, 1024]), rank=st.integers(0, 96),
    seed=st.integers(0, 1000), outlier=st.booleans(), together=st.sampled_from([2, 5, 1024]),
)  # fmt: skip
def test_nothing_that_reaches_the_floor_is_lost(
    kind: str, dim: int, rank: int, seed: int, outlier: bool, together: int
) -> None:
    rng = np.random.default_rng(seed)
    queries = rng.standard_normal((5, dim))
    queries[0, 0] *= 100 if outlier else 1
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    vectors = vectors_of(kind, queries, rng)
    exact = queries @ vectors.astype(np.float64).T
    floors = np.sort(exact, axis=1)[:, rank]
    error = (dim + 2) * 2.0**-24 * 1.02 + np.abs(queries).sum(axis=1) * 2.0**-14  # of the product in float32
    owners, rows, products = Int8Queries(queries, together).candidates(vectors, floors - error)
    found = set(zip(owners.tolist(), rows.tolist(), strict=True))
    assert {(a, b) for a, b in np.argwhere(exact >= floors[:, None]).tolist()} <= found
    assert found <= {(a, b) for a, b in np.argwhere(exact >= (floors - 2 * error)[:, None]).tolist()}
    assert np.abs(products - exact[owners, rows]).max() <= error.max()
    assert (np.diff(owners) >= 0).all()


def test_what_is_let_through_is_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is of use: beside 1 in 1000 that reach the floor, it lets through some 1 in 100, not all."""
    rng = np.random.default_rng(0)
    queries, vectors = rng.standard_normal((10, 384)), rng.standard_normal((4000, 384))
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    floors = np.sort(queries @ vectors.astype(np.float64).T, axis=1)[:, -4]
    tried = []

    def counted(*given: Any) -> Any:
        tried.append(int(given[2].sum()))
        return products_above(*given)

    monkeypatch.setattr(dot_numba, "products_above", counted)
    Int8Queries(queries, 1024).candidates(vectors, floors)
    assert 40 <= tried[0] < 0.02 * len(queries) * len(vectors)


def test_small_questions_import_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_candidates, "_is_quick_and_exact", lambda: True)
    monkeypatch.setattr(sys, "modules", {})
    assert not int8_candidates.is_faster(100_000_000)
    assert int8_candidates.is_faster(1_000_000_000)
    monkeypatch.setattr(sys, "modules", {"torch": None})
    assert int8_candidates.is_faster(100_000_000)
    assert not int8_candidates.is_faster(1_000_000)
