"""The prior over categories: a softmax by hand, no effect at 0, and modes that stay what they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geocmer.datasets.pairs import Pair, PairSet
from geocmer.errors import InputError
from geocmer.evaluation.label_modes import label_mode_scores
from geocmer.imagery.images import ImageFile
from geocmer.search.category_prior import category_offsets, log_prior

DIRECTIONS = {"water": (1, 0, 0), "forest": (0, 1, 0), "road": (0, 0, 1)}


class Words:
    """Encodes a text by the class words in it."""

    scale = 10.0

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        v = np.array([np.sum([d for w, d in DIRECTIONS.items() if w in t] or [(1, 1, 1)], axis=0) for t in texts])
        return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


ENCODER: Any = Words()


def test_the_log_prior_is_a_softmax_that_reckons_with_wrong_labels() -> None:
    rng = np.random.default_rng(0)
    q, p = rng.normal(size=(4, 5)).astype(np.float32), rng.normal(size=(3, 5)).astype(np.float32)
    got = log_prior(q, p, 7.0)
    for i in range(4):
        odds = [np.exp(7 * float(np.dot(q[i].astype(float), p[j].astype(float)))) for j in range(3)]
        assert np.exp(got[i]) == pytest.approx(0.7 * np.array(odds) / sum(odds) + 0.1, rel=1e-6)
    assert np.exp(got).sum(1) == pytest.approx(1)


def test_the_category_that_is_asked_for_loses_nothing_and_others_do() -> None:
    weights = category_offsets(ENCODER, "water", ["forest", "water", "road"], 0.5)
    assert weights["water"] == 0
    odds = 0.7 * np.exp([10.0, 0, 0]) / np.exp([10.0, 0, 0]).sum() + 0.1
    assert weights["forest"] == pytest.approx(0.5 * np.log(odds[1] / odds[0]) / 10, rel=1e-6)
    assert weights["forest"] == pytest.approx(weights["road"])
    assert weights["forest"] < weights[None] < 0  # of no known category: between the two
    half = category_offsets(ENCODER, "water", ["forest", "water", "road"], 0.25)
    assert half["forest"] == pytest.approx(weights["forest"] / 2)


def test_at_strength_0_there_is_no_prior() -> None:
    assert category_offsets(ENCODER, "water", ["forest", "water"], 0.0) == {}
    assert category_offsets(ENCODER, "water", [], 1.0) == {}
    with pytest.raises(InputError, match="category prior 2"):
        category_offsets(ENCODER, "water", ["forest"], 2)


def _set(scenes: list[str | None]) -> PairSet:
    return PairSet("x", tuple(Pair(ImageFile(Path("x")), (f"a {s}", "a place"), "test", s) for s in scenes))


def test_each_mode_knows_what_it_may_know() -> None:
    pairs = _set(["water", "forest", "water"])
    owner = np.array([0, 0, 1, 1, 2, 2])
    plain = np.random.default_rng(1).normal(size=(3, 6)).astype(np.float32) / np.float32(3)
    modes = label_mode_scores(ENCODER, pairs, plain, owner, 1.0)
    assert list(modes) == ["none", "predicted", "oracle"]
    np.testing.assert_array_equal(modes["none"], plain)
    gain = modes["predicted"] - plain
    assert gain[0, 0] == gain[2, 0] == 0  # "a water" and pictures of water
    assert gain[1, 0] == pytest.approx(np.log(0.15 / 0.85) / 10, rel=2e-3)  # water or forest: almost surely water
    assert gain[:, 1] == pytest.approx(0, abs=1e-6)  # "a place" says nothing of the category
    # A caption's label is no input of `predicted`: equal words gain equally, whatever their picture's label.
    np.testing.assert_allclose(gain[:, 1], gain[:, 3], atol=1e-6)
    same = np.array([[a == b for b in (0, 0, 1, 1, 0, 0)] for a in (0, 1, 0)])
    np.testing.assert_array_equal(modes["oracle"][same], plain[same])
    assert modes["oracle"][~same].max() < plain.min()


def test_without_labels_there_is_one_mode() -> None:
    plain = np.zeros((2, 4), np.float32)
    assert list(label_mode_scores(ENCODER, _set(["water", None]), plain, np.array([0, 0, 1, 1]), 0.5)) == ["none"]
