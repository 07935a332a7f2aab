"""Texts for tests of relations: three concepts along axes of their own, and the background concepts beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from synthetic import DIM, unit

from geocmer.search.probability import background

BACKGROUND = unit(len(background()), DIM, seed=1)
BACKGROUND[:, [0, 1, 2, -1]] = 0  # so that the three concepts below stand out against it, and fields little
AXES = dict(zip(("airport", "river", "forest"), np.eye(DIM, dtype=np.float32), strict=False))


def encode(texts: Sequence[str]) -> np.ndarray:
    known = dict(zip(background(), BACKGROUND, strict=True)) | AXES
    return np.array([known[text] for text in texts])
