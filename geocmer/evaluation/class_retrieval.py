"""Retrieval in a labelled set by the bare words of its labels, as a user would ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datasets.label_captions import class_words, label_key
from ..datasets.pairs import PairSet
from .ranking import average_precision, precision_at, rank_right

PRECISION_IMAGES = 20
"""Images whose precision is measured, P@20."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well the images of one class are found by its words.

    Attributes:
        words: that were asked for.
        images: of the class.
        accuracy: share of them for which the words of a label of theirs come first of all classes'.
        precision: share of the class among the first 20 images.
        average_precision: mean of the precision at the rank of each image of the class.
        chance: share of the class among all images.
    """

    words: str
    images: int
    accuracy: float
    precision: float
    average_precision: float
    chance: float

    def to_json(self) -> dict[str, object]:
        """Make a record of the score, its shares rounded to 0.001."""
        shares = {"accuracy": self.accuracy, "p20": self.precision, "ap": self.average_precision, "chance": self.chance}
        return {"class": self.words, "images": self.images, **{name: round(v, 3) for name, v in shares.items()}}


def class_questions(pairs: PairSet) -> tuple[tuple[str, ...], NDArray[np.bool_]] | None:
    """Take the words of the classes of a set, (m,), and whether each is a label of an image, (images, m).

    Returns:
        None where an image has no label: then the set has captions of its own.
    """
    if not all(pair.labels for pair in pairs.pairs):
        return None
    words = {label_key(label): class_words(label) for pair in pairs.pairs for label in pair.labels}
    labels = [{label_key(label) for label in pair.labels} for pair in pairs.pairs]
    return tuple(words.values()), np.array([[key in keys for key in words] for keys in labels])


def class_scores(
    words: Sequence[str], similarity: NDArray[np.float32], correct: NDArray[np.bool_], seed: int = 0
) -> list[ClassScore]:
    """Score each class, those with the most images first, then the mean of the classes.

    Args:
        words: of each class, (m,).
        similarity: cosines (images, m).
        correct: whether a class is a label of an image, (images, m).
        seed: of the order of images with equal scores.
    """
    named = correct[np.arange(len(correct)), similarity.argmax(1)]
    scores = []
    for c in np.argsort(-correct.sum(0), kind="stable"):
        right = correct[:, c]
        ranked = rank_right(similarity[:, c], right, seed)
        figures = float(named[right].mean()), precision_at(ranked, PRECISION_IMAGES), average_precision(ranked)
        scores.append(ClassScore(words[c], int(right.sum()), *figures, float(right.mean())))
    means = np.mean([(s.accuracy, s.precision, s.average_precision, s.chance) for s in scores], axis=0).tolist()
    return [*scores, ClassScore("mean of classes", len(correct), *means)]
