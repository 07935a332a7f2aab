"""Splitting tiles into training and validation by place, so that a model is never validated on what it has seen."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ..store.schema import extents

TRAIN, VAL, BUFFER = "train", "val", "buffer"
"""The parts. A buffer tile overlaps or touches a validation tile and is used for nothing."""

_TOUCH = 1e-6
"""Degrees, about 0.1 m: footprints of neighbours come through a projection and meet up to rounding."""

_LEAST, _MOST = 9, 400
"""Tiles of a block: small ones lose most of the set to buffers, large ones make validation a single place."""


def split(footprints: NDArray[np.object_], share: float = 0.2, seed: int = 0) -> NDArray[np.str_]:
    """The part of each tile: `train`, `val` or `buffer`.

    Tiles fall into compact blocks; random blocks are taken for validation until they hold the share. Every other tile
    that overlaps or touches one of theirs is buffer.

    Args:
        footprints: WGS84 polygons, cut at the antimeridian, (n,).
        share: of all tiles to validate on, more than 0 and less than 1; exceeded by less than a block.
        seed: of the choice of blocks.
    """
    n = len(footprints)
    part = np.full(n, TRAIN, dtype="<U6")
    largest = int(np.clip(n * share / 2, _LEAST, _MOST))
    blocks = list(_blocks(_on_the_sphere(footprints), np.arange(n), largest))
    taken = 0
    for index in np.random.default_rng(seed).permutation(len(blocks)):
        if taken >= share * n:
            break
        part[blocks[index]] = VAL
        taken += len(blocks[index])
    others = np.flatnonzero(part == TRAIN)
    near = _touching(footprints[others], footprints[part == VAL])
    part[others[near]] = BUFFER
    return part


def _touching(some: NDArray[np.object_], others: NDArray[np.object_]) -> NDArray[np.intp]:
    """Which of `some` overlap or touch any of `others`, across the antimeridian too."""
    tree = shapely.STRtree(some)
    found = []
    for turn in (-360.0, 0.0, 360.0):  # 180 and -180 degrees are one meridian
        moved = shapely.transform(others, partial(np.add, (turn, 0.0)))
        found.append(tree.query(moved, predicate="dwithin", distance=_TOUCH)[1])
    return np.unique(np.concatenate(found))


def _on_the_sphere(footprints: NDArray[np.object_]) -> NDArray[np.float64]:
    """Unit vectors (n, 3) to the centres: compact there is compact on the ground, at 180 degrees and at a pole too."""
    xmin, ymin, xmax, ymax = extents(footprints).T
    lon, lat = np.radians((xmin + xmax) / 2), np.radians((ymin + ymax) / 2)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def _blocks(points: NDArray[np.float64], rows: NDArray[Any], largest: int) -> Iterator[NDArray[Any]]:
    """Halve the rows along their longest side until no block is larger than asked: a k-d tree's leaves."""
    if len(rows) <= largest:
        yield rows
        return
    longest = int(np.argmax(np.ptp(points[rows], axis=0)))
    ordered = rows[np.argsort(points[rows, longest], kind="stable")]
    half = len(ordered) // 2
    yield from _blocks(points, ordered[:half], largest)
    yield from _blocks(points, ordered[half:], largest)
