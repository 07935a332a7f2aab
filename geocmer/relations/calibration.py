"""From cosines to probabilities that can be compared between concepts.

The cosine of a tile with "river" and its cosine with "refinery" are not on one scale: a text may lie close to all
pictures. So a concept is measured against background concepts, a list of what else an overhead picture may show
(`data/background.txt`): with t the concept's unit vector, b the mean of the background's, and s the standard deviation,
over tiles and background concepts, of x . (b_k - b),

    z = x . (t - b) / s          how far tile x stands out for the concept, in units in which backgrounds scatter by 1
    p = 1 / (1 + exp(STEEPNESS * (MIDPOINT_Z - z)))

It rises with the cosine, needs one product per concept, and knows no scale of any model. Unlike a rank or a z-score of
the concept over the store, it does not call the best tile good where the store holds no such thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .._files import bundled_file
from .._types import Float64s

STEEPNESS, MIDPOINT_Z = 2.2, 3.1
"""Fitted by maximum likelihood on RSICD's validation images and their 31 scene classes (3 % of the images each)."""


@cache
def background() -> tuple[str, ...]:
    """Read the background concepts."""
    lines = bundled_file("background.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What concepts are measured against.

    Attributes:
        mean: (dim,) mean vector of the background concepts.
        spread: standard deviation of tiles' scores for them.
    """

    mean: Float64s
    spread: float

    @classmethod
    def of(cls, concepts: NDArray[np.floating], tiles: NDArray[np.floating]) -> Self:
        """Estimate from unit vectors (k, dim) of the background concepts and (n, dim) of a sample of tiles."""
        mean = concepts.astype(np.float64).mean(axis=0)
        scores = tiles.astype(np.float64) @ (concepts - mean).T
        return cls(mean, float(max(scores.std(), 1e-6)) if scores.size else 1.0)

    def direction(self, concept: NDArray[np.floating]) -> Float64s:
        """Compute the vector (dim,) whose product with a tile is the tile's z for a concept (dim,)."""
        result: Float64s = (concept.astype(np.float64) - self.mean) / self.spread
        return result


def probability(z: Float64s) -> Float64s:
    """Compute how probable it is that a tile shows the concept, 0..1, strictly rising with z."""
    result: Float64s = 1 / (1 + np.exp(STEEPNESS * (MIDPOINT_Z - np.clip(z, -100, 100))))
    return result
