"""Where in a tile a question is answered: what the parts of its picture are worth, a box and a point on the ground.

The tile is cut into overlapping windows of a third of its side; each is embedded as a tile would be and compared with
the question, and a place is worth the mean of the windows that show it. It needs nothing of a model but that it embeds
pictures, and found the right place more often than the towers' tokens, and than covering parts of the picture
(`tests/benchmarks/bench_spots.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from .._types import Float64s
from ..store.store import Store

if TYPE_CHECKING:
    from ..models.encoder import Encoder
    from .results import Hit

WINDOW_DIVISOR = 3
"""A window is a tile's side over this."""
STEPS = 5
"""Windows along a side: each begins half a window after the one before it."""
CELLS = STEPS + 1
"""Cells along a side of the map of evidence: half a window each, so that every window covers whole cells."""
MIN_VALID = 0.5
"""Least share of usable pixels in a window, unless none of a tile's has as many."""
MAX_KEPT = 1000
"""Spots that are kept: hits are read once to be written, and once to be drawn."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in a tile a question is answered best.

    Attributes:
        window: first row, first column, rows and columns of the box, in grid pixels from the tile's upper left corner.
        geometry: the box on the ground, WGS84, cut at the antimeridian.
        point: longitude and latitude of the middle of the best place in it, degrees.
        score: cosine of the question and the best place, -1..1: a mean of windows, not the score of the hit.
        evidence: (CELLS, CELLS) cosine of the question and each place; NaN where the tile shows no ground.
    """

    window: tuple[int, int, int, int]
    geometry: Polygon | MultiPolygon
    point: tuple[float, float]
    score: float
    evidence: Float64s = field(repr=False, compare=False)

    def attributes(self) -> dict[str, Any]:
        """Return what JSON can hold of it, without the geometry: degrees to a centimetre."""
        names = ("row", "col", "height", "width")
        longitude, latitude = (round(float(value), 7) for value in self.point)
        place = {"longitude": longitude, "latitude": latitude}
        return {"score": round(self.score, 6), **place, **dict(zip(names, self.window, strict=True))}


class SpotFinder:
    """Finds the spots of hits, their pixels cut from the scenes again.

    Args:
        store: of the hits.
        encoder: that made its vectors.
        query: (dim,) unit vector of what is looked for.
    """

    def __init__(self, store: Store, encoder: Encoder, query: NDArray[np.floating[Any]]) -> None:
        from ..store.tile_images import TileImageReader  # imports rasterio, which a search does not need

        self._encoder, self._query = encoder, query.astype(np.float64)
        self._reader = TileImageReader(store)
        self._found: dict[str, Spot] = {}

    def __call__(self, hit: Hit) -> Spot:
        """Find where in a hit's tile the question is answered best.

        Raises:
            InputError: its scene is gone or has changed.
        """
        if hit.id not in self._found:
            if len(self._found) >= MAX_KEPT:
                self._found.clear()
            self._found[hit.id] = self._find(hit)
        return self._found[hit.id]

    def _find(self, hit: Hit) -> Spot:
        pixels, valid = self._reader.window(hit.scene_id, hit.row, hit.col)
        evidence = evidence_map(self._encoder, self._query, pixels, valid)
        window = best_window(evidence, len(pixels))
        row, col, height, width = window
        place = hit.scene_id, hit.row + row, hit.col + col
        across, down = best_place(evidence, len(pixels))
        point = self._reader.position(hit.scene_id, hit.row + down, hit.col + across)
        outline = self._reader.outline(*place, height, width)
        return Spot(window, outline, point, float(np.nanmax(evidence)), evidence)


def evidence_map(
    encoder: Encoder, query: NDArray[np.floating[Any]], pixels: NDArray[np.uint8], valid: NDArray[np.bool_]
) -> Float64s:
    """Compute how well each place of a tile answers a question, (CELLS, CELLS) cosines; NaN where there is no ground.

    Args:
        encoder: of the question's vector.
        query: (dim,) unit vector.
        pixels: uint8 RGB (size, size, 3).
        valid: (size, size) True on pixels that show ground.
    """
    parts = list(_windows(len(pixels)))
    shares = np.array([valid[part].mean() for part in parts])
    seen = np.flatnonzero(shares >= min(MIN_VALID, shares.max()))
    vectors = encoder.encode_images(
        np.stack([pixels[parts[i]] for i in seen]), np.stack([valid[parts[i]] for i in seen])
    )
    total, count = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    for number, score in zip(seen, vectors.astype(np.float64) @ query, strict=True):
        row, col = divmod(int(number), STEPS)
        total[row : row + 2, col : col + 2] += score
        count[row : row + 2, col : col + 2] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def best_place(evidence: Float64s, size: int) -> tuple[float, float]:
    """Find the middle of the best cell: column and row in pixels of a tile of this size."""
    row, col = np.unravel_index(int(np.nanargmax(evidence)), evidence.shape)
    return (float(col) + 0.5) * size / CELLS, (float(row) + 0.5) * size / CELLS


def best_window(evidence: Float64s, size: int) -> tuple[int, int, int, int]:
    """Find the box around the best cell and those beside it that are worth more than half way up from the mean to it.

    Returns:
        First row, first column, rows and columns, in pixels of a tile of this size.
    """
    from scipy.ndimage import find_objects, label

    peak, mean = float(np.nanmax(evidence)), float(np.nanmean(evidence))
    groups, _ = label(np.nan_to_num(evidence, nan=-np.inf) >= (peak + mean) / 2)
    best = groups[np.unravel_index(int(np.nanargmax(evidence)), evidence.shape)]
    rows, columns = find_objects(groups)[best - 1]
    edges = np.round(np.linspace(0, size, CELLS + 1)).astype(int)
    top, bottom, left, right = (int(edges[at]) for at in (rows.start, rows.stop, columns.start, columns.stop))
    return top, left, bottom - top, right - left


def _windows(size: int) -> Iterator[tuple[slice, slice]]:
    """Yield the windows of a tile, row by row."""
    side = max(1, round(size / WINDOW_DIVISOR))
    starts = np.round(np.linspace(0, size - side, STEPS)).astype(int)
    for row in starts:
        for col in starts:
            yield slice(row, row + side), slice(col, col + side)
