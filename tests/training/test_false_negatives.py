"""Which texts of a batch are no negatives of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geocmer.datasets.pairs import Pair
from geocmer.imagery.images import ImageFile
from geocmer.training.false_negatives import FalseNegatives


def pair(captions: list[str], *labels: str) -> Pair:
    return Pair(ImageFile(Path("x")), tuple(captions), "train", labels=labels)


# Texts 0..4 with known angles in the text tower.
VECTORS = np.array([[2, 0], [0, 3], [1, 0.1], [-1, 0], [0.8, 0.6]], np.float32)
PAIRS = [
    pair(["a river"], "River"),  # text 0
    pair(["a forest"], "forest"),  # text 1
    pair(["a bridge over a river", "a bridge"]),  # texts 2 and 3
    pair(["water runs"], "river"),  # text 4
]
ROWS, OWNER = np.array([0, 1, 2, 3, 4]), np.array([0, 1, 2, 2, 3])


def judged(similar: float) -> np.ndarray:
    """Judge every text for every picture."""
    found = FalseNegatives(PAIRS, ROWS, OWNER, VECTORS, similar)
    return found(np.arange(len(PAIRS)), OWNER, ROWS).numpy()


def test_pictures_that_share_a_label_are_no_negatives_however_it_is_spelt() -> None:
    alone = judged(1.1)  # no cosine is that large: labels decide alone
    assert alone.tolist() == [
        [True, False, False, False, True],
        [False, True, False, False, False],
        [False, False, False, False, False],
        [True, False, False, False, True],
    ]


def test_the_text_tower_judges_where_a_label_is_involved() -> None:
    """Against plain loops over cosines, the largest over a picture's own captions."""
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    alike = judged(0.75)
    for i, picture in enumerate(PAIRS):
        own = ROWS[i == OWNER]
        for text, owner in zip(ROWS, OWNER, strict=True):
            cosine = max(float(unit[o] @ unit[text]) for o in own)
            shared = {x.lower() for x in picture.labels} & {x.lower() for x in PAIRS[owner].labels}
            labelled = bool(picture.labels or PAIRS[owner].labels)
            assert alike[i, text] == bool(shared or (labelled and cosine > 0.75)), (i, text)


def test_captions_written_for_pictures_are_judged_by_nothing() -> None:
    plain = [pair(["a"]), pair(["a", "b"])]
    found = FalseNegatives(plain, np.array([0, 0, 1]), np.array([0, 1, 1]), VECTORS, 0.1)
    assert not found(np.array([0, 1]), np.array([0, 1]), np.array([0, 1])).any()
