"""Class-word retrieval in a store equals a count over the sorted tiles, done here by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from synthetic import DIM, ENCODER, filled, tile

from geocmer.errors import FingerprintError, InputError, StoreError
from geocmer.evaluation.store_retrieval import category_scores, mean_score

NAMES = ("forest", "water", "crops")
CHOSEN = [NAMES[i] for i in np.random.default_rng(1).choice(3, 60, p=[0.6, 0.3, 0.1])]


def encode(texts: Sequence[str]) -> np.ndarray:
    """A vector for each class word: an axis of the space."""
    return np.stack([np.eye(DIM, dtype=np.float32)[next(i for i, n in enumerate(NAMES) if n in t)] for t in texts])


def _vectors(noise: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    vectors = np.stack([np.eye(DIM)[NAMES.index(name)] for name in CHOSEN]) + noise * rng.standard_normal((60, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_scores_are_those_of_the_sorted_tiles(tmp_path: Path) -> None:
    vectors = _vectors(0.7)
    store = filled(tmp_path / "st", [tile(i, category=name) for i, name in enumerate(CHOSEN)], vectors)
    scores = category_scores(store.snapshot(), encode, ENCODER.fingerprint)
    assert [s.category for s in scores] == sorted(NAMES, key=lambda n: -CHOSEN.count(n))
    for score in scores:
        column = vectors.astype(np.float16).astype(np.float32)[:, NAMES.index(score.category)]
        ranked = [CHOSEN[i] == score.category for i in sorted(range(60), key=lambda i: -column[i])]
        at_each = [sum(ranked[: i + 1]) / (i + 1) for i in range(60) if ranked[i]]
        assert score.tiles == CHOSEN.count(score.category)
        assert score.precision == pytest.approx(sum(ranked[:10]) / 10)
        assert score.average_precision == pytest.approx(sum(at_each) / len(at_each))
        assert score.chance == pytest.approx(score.tiles / 60)
        assert score.average_precision > 1.3 * score.chance
    mean = mean_score(scores)
    assert mean.average_precision == pytest.approx(sum(s.average_precision for s in scores) / 3)
    assert mean.to_json()["tiles"] == 60


def test_perfect_vectors_score_one_and_equal_ones_score_chance(tmp_path: Path) -> None:
    rows = [tile(i, category=name) for i, name in enumerate(CHOSEN)]
    perfect = filled(tmp_path / "perfect", rows, _vectors(0))
    assert all(s.average_precision == 1 for s in category_scores(perfect.snapshot(), encode, ENCODER.fingerprint))
    same = filled(tmp_path / "same", rows, np.repeat(np.eye(DIM, dtype=np.float32)[:1], 60, 0))
    found = np.mean(
        [
            [
                s.average_precision - s.chance
                for s in category_scores(same.snapshot(), encode, ENCODER.fingerprint, seed)
            ]
            for seed in range(40)
        ],
        axis=0,
    )
    assert np.abs(found).max() < 0.08  # in storage order it would be what that order happens to be


def test_tiles_without_a_category_do_not_count(tmp_path: Path) -> None:
    rows = [tile(i, category=name) for i, name in enumerate(CHOSEN)]
    extra = [tile(100 + i, category=None) for i in range(20)]
    noise = np.random.default_rng(2).standard_normal((20, DIM)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    alone = filled(tmp_path / "alone", rows, _vectors(0.7)).snapshot()
    mixed = filled(tmp_path / "mixed", [*rows, *extra], np.concatenate([_vectors(0.7), noise])).snapshot()
    assert category_scores(alone, encode, ENCODER.fingerprint) == category_scores(mixed, encode, ENCODER.fingerprint)


def test_what_cannot_be_scored_is_named(tmp_path: Path) -> None:
    one = filled(tmp_path / "one", [tile(i, category="forest") for i in range(3)], _vectors(0)[:3])
    with pytest.raises(InputError, match="have 1 categories and at least 2 are needed; run `geocmer tile"):
        category_scores(one.snapshot(), encode, ENCODER.fingerprint)
    none = filled(tmp_path / "none", [tile(0)], _vectors(0)[:1])
    with pytest.raises(InputError, match="have 0 categories"):
        category_scores(none.snapshot(), encode, ENCODER.fingerprint)
    with pytest.raises(FingerprintError):
        category_scores(one.snapshot(), encode, "0" * 32)
    with pytest.raises(StoreError, match="geocmer embed"):
        category_scores(filled(tmp_path / "bare", [tile(0, category="forest")], None).snapshot(), encode, "0" * 32)
