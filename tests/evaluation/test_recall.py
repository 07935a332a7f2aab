"""Recall against a plain sort, and the order of ties."""

from __future__ import annotations

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from geocmer.evaluation.recall import KS, recall


def _by_sorting(s: np.ndarray, owner: np.ndarray) -> tuple[list[float], list[float]]:
    i2t = [[owner[j] for j in np.argsort(-row, kind="stable")] for row in s]
    t2i = [list(np.argsort(-column, kind="stable")) for column in s.T]
    return (
        [100 * float(np.mean([i in found[:k] for i, found in enumerate(i2t)])) for k in KS],
        [100 * float(np.mean([owner[j] in found[:k] for j, found in enumerate(t2i)])) for k in KS],
    )


@settings(max_examples=examples(20))
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 5))
def test_equals_a_plain_sort_without_ties(seed: int, images: int, captions: int) -> None:
    rng = np.random.default_rng(seed)
    s = rng.permutation(images * images * captions).reshape(images, -1).astype(np.float32)
    owner = np.repeat(np.arange(images), captions)
    expected = _by_sorting(s, owner)
    for ties in ("random", "worst"):
        got = recall(s, owner, ties)
        assert list(got.i2t) == pytest.approx(expected[0])
        assert list(got.t2i) == pytest.approx(expected[1])


def test_all_tied_scores_expected_by_chance_or_zero() -> None:
    n = 400
    s, owner = np.zeros((n, n), np.float32), np.arange(n)
    assert recall(s, owner, "worst").mean == 0
    chance = np.mean([100 * k / n for k in KS])
    mean = np.mean([recall(s, owner, "random", seed).mean for seed in range(20)])
    assert mean == pytest.approx(chance, rel=0.25)


def test_an_image_whose_own_captions_tie_with_each_other_loses_nothing() -> None:
    s = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], np.float32)
    assert recall(s, np.array([0, 0, 1]), "worst").i2t == (100, 100, 100)


def test_mean_is_of_the_six() -> None:
    result = recall(np.eye(3, dtype=np.float32), np.arange(3))
    assert result.mean == 100
    assert result.to_json()["mR"] == 100
