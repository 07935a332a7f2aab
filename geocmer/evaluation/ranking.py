"""Figures of one ranking: how early its right answers stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def precision_at(ranked: NDArray[np.bool_], depth: int) -> float:
    """Compute the share of right answers among the first `depth`, or among all if there are fewer.

    Args:
        ranked: whether each answer is right, the best first, (n,).
        depth: answers that are looked at.
    """
    return float(ranked[:depth].mean())


def average_precision(ranked: NDArray[np.bool_]) -> float:
    """Compute the mean of the precision at the rank of each right answer; 0 if there is none.

    Args:
        ranked: whether each answer is right, the best first, (n,).
    """
    precisions = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precisions[ranked].mean()) if ranked.any() else 0.0


def rank_right(scores: NDArray[np.float32], right: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """Put the answers in the order of their scores, equal ones in seeded random order; (n,) whether each is right."""
    shuffled = np.random.default_rng(seed).permutation(len(scores))
    return right[shuffled][np.argsort(-scores[shuffled], kind="stable")]
