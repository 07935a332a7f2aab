"""Hits on their way to a file: a batch in memory at a time, and what is known of them once they have passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..search.results import Hit
from ..store.schema import extents
from .record import COORDINATE_DECIMALS, round_geometries

BATCH_HITS = 1024
"""Hits held in memory at once: a few megabytes with their thumbnails."""


class Batch(NamedTuple):
    """Some hits and their footprints, rounded and oriented (`round_geometries`), in the same order."""

    hits: list[Hit]
    shapes: NDArray[np.object_]


class HitStream:
    """Hits a batch at a time, to be iterated once; their number, box and scores are known afterwards.

    Attributes:
        count: hits that have passed.
        min_score: the least score among them, infinite while none had a score.
        max_score: the greatest score among them, likewise.
    """

    def __init__(self, hits: Iterable[Hit]) -> None:
        self.count = 0
        self.min_score, self.max_score = np.inf, -np.inf
        self._hits = iter(hits)
        self._extent = np.array([np.inf, np.inf, -np.inf, -np.inf])
        self._extent_360 = self._extent.copy()

    def __iter__(self) -> Iterator[Batch]:
        while hits := list(islice(self._hits, BATCH_HITS)):
            batch = Batch(hits, round_geometries(np.array([hit.geometry for hit in hits], dtype=object)))
            self._track(batch)
            yield batch
            del hits, batch  # else they stay alive while the next ones are made

    @property
    def scored(self) -> bool:
        """Whether any hit had a score."""
        return bool(self.min_score <= self.max_score)

    def bbox(self) -> list[float]:
        """Return [west, south, east, north] around all hits; west > east where the box crosses the antimeridian.

        Of the two ways round the Earth it takes the narrower (RFC 7946 section 5.2).
        """
        crosses = self._extent_360[2] - self._extent_360[0] < self._extent[2] - self._extent[0]
        west, south, east, north = self._extent_360 if crosses else self._extent
        return [round(float(v), COORDINATE_DECIMALS) for v in (_wrap(west), south, _wrap(east), north)]

    def _track(self, batch: Batch) -> None:
        self.count += len(batch.hits)
        scores = [hit.score for hit in batch.hits if hit.score is not None]
        if scores:
            self.min_score, self.max_score = min(self.min_score, *scores), max(self.max_score, *scores)
        boxes = extents(batch.shapes)
        self._extent = _enclose(self._extent, boxes)
        self._extent_360 = _enclose(self._extent_360, boxes + 360 * (boxes[:, :1] < 0) * _LONGITUDES)


_LONGITUDES = np.array([1, 0, 1, 0])


def _enclose(box: Any, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = np.vstack([box, boxes])
    return np.concatenate([rows[:, :2].min(axis=0), rows[:, 2:].max(axis=0)])


def _wrap(longitude: float) -> float:
    return longitude - 360 if longitude > 180 else longitude
