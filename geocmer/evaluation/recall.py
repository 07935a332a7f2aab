"""Recall of cross-modal retrieval, as the remote-sensing papers measure it. Pure functions of a similarity matrix."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

KS = (1, 5, 10)
"""The K of each recall at K."""


@dataclass(frozen=True, slots=True)
class Recall:
    """R@1, R@5, R@10 in percent, image to text and text to image, and their mean mR."""

    i2t: tuple[float, ...]
    t2i: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean of the six recalls, mR."""
        return float(np.mean(self.i2t + self.t2i))

    def to_json(self) -> dict[str, object]:
        """Make a record of the six recalls and mR, rounded to 0.01."""
        figures = {name: [round(v, 2) for v in values] for name, values in asdict(self).items()}
        return {**figures, "mR": round(self.mean, 2)}


def recall(similarity: NDArray[np.float32], owner: NDArray[np.int64], ties: str = "random", seed: int = 0) -> Recall:
    """Compute the recalls of a similarity matrix.

    Image to text is a hit if any of the image's captions is among the top K of all captions; text to image if the
    caption's one image is among the top K of all images.

    Args:
        similarity: (images, captions).
        owner: index of each caption's image, (captions,).
        ties: `random` puts equal scores in seeded random order, which gives the expectation over all orders;
            `worst` puts every wrong candidate of equal score first.
        seed: of the random order.
    """
    rng = np.random.default_rng(seed)
    i2t, t2i = _ranks_i2t(similarity, owner, ties, rng), _ranks_t2i(similarity, owner, ties, rng)
    return Recall(_recall_at_ks(i2t), _recall_at_ks(t2i))


def _recall_at_ks(ranks: NDArray[np.int64]) -> tuple[float, ...]:
    return tuple(float(100 * np.mean(ranks < k)) for k in KS)


def _ranks_i2t(
    s: NDArray[np.float32], owner: NDArray[np.int64], ties: str, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Find the rank (0 = first) of each image's best caption."""
    ranks = np.empty(len(s), np.int64)
    for i, row in enumerate(s):
        own = owner == i
        best = row[own].max()
        tied_wrong = _count((row == best) & ~own)
        tied_own = _count((row == best) & own)
        ranks[i] = _count(row > best) + _before(tied_wrong, tied_own, ties, rng)
    return ranks


def _ranks_t2i(
    s: NDArray[np.float32], owner: NDArray[np.int64], ties: str, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Find the rank of each caption's image."""
    ranks = np.empty(s.shape[1], np.int64)
    for j, column in enumerate(s.T):
        true = column[owner[j]]
        tied = _count(column == true) - 1
        ranks[j] = _count(column > true) + _before(tied, 1, ties, rng)
    return ranks


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))


def _before(wrong: int, right: int, ties: str, rng: np.random.Generator) -> int:
    """Count the wrong candidates that come before the first right one, where all have equal scores."""
    if wrong == 0 or ties == "worst":
        return wrong
    order = rng.permutation(wrong + right)
    return int(np.argmax(order < right))
