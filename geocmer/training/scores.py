"""What an adapter is worth on the validation images of several sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Score(Protocol):
    """A figure in percent, with its details for `metrics.jsonl`."""

    @property
    def mean(self) -> float:
        """The figure by which epochs are compared, 0 to 100."""

    def to_json(self) -> dict[str, Any]:
        """Return its details, rounded to 0.01."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of the labelled images for which the words of a label of theirs come first, percent."""

    mean: float

    @classmethod
    def of(cls, similarity: NDArray[np.float32], correct: NDArray[np.bool_]) -> Accuracy:
        """Measure it.

        Args:
            similarity: of images with the words of all classes, (images, classes).
            correct: whether a class is a label of an image, (images, classes).
        """
        return cls(float(100 * correct[np.arange(len(correct)), similarity.argmax(1)].mean()))

    def to_json(self) -> dict[str, Any]:
        """See `Score.to_json`."""
        return {"accuracy": round(self.mean, 2)}


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores by set.

    Attributes:
        by_set: score of each set.
        shares: weight of each set, in the same order: a set counts as much as it is trained on, so that the chance of a
            few validation images decides nothing.
    """

    by_set: dict[str, Score]
    shares: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Weighted mean over the sets."""
        return float(np.average([score.mean for score in self.by_set.values()], weights=self.shares))

    def to_json(self) -> dict[str, Any]:
        """See `Score.to_json`; `mean` stands beside `sets`."""
        sets = {name: score.to_json() for name, score in self.by_set.items()}
        return {"mean": round(self.mean, 2), "sets": sets}


def distinct_names(names: Sequence[str]) -> list[str]:
    """Number the names that come again: two sets in folders that are called alike are two."""
    return [name if n == names.index(name) else f"{name} {names[: n + 1].count(name)}" for n, name in enumerate(names)]
