"""Hits on their way to a file: a batch in memory at a time, and what is known of them once they have passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..search.results import Hit
from ..store.schema import extents
from .record import DECIMALS, rounded

BATCH = 1024
"""Hits held in memory at once: a few megabytes with their thumbnails."""


class Batch(NamedTuple):
    """Some hits and their footprints, rounded and oriented, in the same order."""

    hits: list[Hit]
    shapes: NDArray[np.object_]


class Stream:
    """Iterate once, to get the hits a batch at a time; then ask for their number, box and scores.

    Attributes:
        count: hits that have passed.
        low: the least score among them, infinite while none had a score.
        high: the greatest score among them, likewise.
    """

    def __init__(self, hits: Iterable[Hit]) -> None:
        self.count = 0
        self.low, self.high = np.inf, -np.inf
        self._hits = iter(hits)
        self._plain = np.array([np.inf, np.inf, -np.inf, -np.inf])
        self._turned = self._plain.copy()

    def __iter__(self) -> Iterator[Batch]:
        while hits := list(islice(self._hits, BATCH)):
            batch = Batch(hits, rounded(np.array([hit.geometry for hit in hits], dtype=object)))
            self._note(batch)
            yield batch
            del hits, batch  # else they stay alive while the next ones are made

    @property
    def scored(self) -> bool:
        """Whether any hit had a score."""
        return bool(self.low <= self.high)

    def bbox(self) -> list[float]:
        """[west, south, east, north] around all hits; west > east where the box crosses the antimeridian.

        Of the two ways round the Earth it takes the narrower (RFC 7946 section 5.2).
        """
        turned = self._turned[2] - self._turned[0] < self._plain[2] - self._plain[0]
        west, south, east, north = self._turned if turned else self._plain
        return [round(float(v), DECIMALS) for v in (_wrapped(west), south, _wrapped(east), north)]

    def _note(self, batch: Batch) -> None:
        self.count += len(batch.hits)
        scores = [hit.score for hit in batch.hits if hit.score is not None]
        if scores:
            self.low, self.high = min(self.low, *scores), max(self.high, *scores)
        boxes = extents(batch.shapes)
        self._plain = _around(self._plain, boxes)
        self._turned = _around(self._turned, boxes + 360 * (boxes[:, :1] < 0) * _EASTWARD)


_EASTWARD = np.array([1, 0, 1, 0])


def _around(box: Any, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    everything = np.vstack([box, boxes])
    return np.concatenate([everything[:, :2].min(axis=0), everything[:, 2:].max(axis=0)])


def _wrapped(longitude: float) -> float:
    return longitude - 360 if longitude > 180 else longitude
