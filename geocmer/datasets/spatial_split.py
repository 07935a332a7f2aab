"""Splitting tiles into training and validation by place: no ground is in both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.geodesy import unit_vectors
from ..geometry.merge import touching_pairs
from ..store.schema import extents

TRAIN, VAL, BUFFER = "train", "val", "buffer"
"""The parts. A buffer tile overlaps or touches a validation tile and belongs to neither split."""

_MIN_BLOCK_TILES, _MAX_BLOCK_TILES = 9, 400
"""Limits of a block: with smaller ones most tiles are buffers, with larger ones validation is a single place."""

_BLOCKS_OF_FOLD = 4
"""Blocks that make a fold: several, so that each fold has some of every kind of place."""


def split(footprints: NDArray[np.object_], share: float = 0.2, seed: int = 0) -> NDArray[np.str_]:
    """Assign a part to each tile: `train`, `val` or `buffer`.

    Tiles are grouped into compact blocks; random blocks are taken for validation until they hold the share. Every other
    tile that overlaps or touches a validation tile is buffer.

    Args:
        footprints: WGS84 polygons, cut at the antimeridian, (n,).
        share: share of all tiles to validate on, more than 0 and less than 1; exceeded by less than a block.
        seed: of the random choice of blocks.
    """
    n = len(footprints)
    part = np.full(n, TRAIN, dtype="<U6")
    block_tiles = int(np.clip(n * share / 2, _MIN_BLOCK_TILES, _MAX_BLOCK_TILES))
    blocks = list(_blocks(_centers(footprints), np.arange(n), block_tiles))
    taken = 0
    for index in np.random.default_rng(seed).permutation(len(blocks)):
        if taken >= share * n:
            break
        part[blocks[index]] = VAL
        taken += len(blocks[index])
    others = np.flatnonzero(part == TRAIN)
    touching, _ = touching_pairs(footprints[others], footprints[part == VAL])
    part[others[touching]] = BUFFER
    return part


def spatial_folds(
    footprints: NDArray[np.object_], answers: NDArray[np.bool_], count: int = 5, seed: int = 0
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Divide tiles into folds for cross-validation: what is trained on touches nothing that is validated on.

    Tiles are grouped into compact blocks, and each block, in random order, goes to the fold with the fewest positives.

    Args:
        footprints: WGS84 polygons, cut at the antimeridian, (n,).
        answers: (n,) True for positives.
        count: of folds.
        seed: of the order.

    Returns:
        Rows to train on and rows to validate on, of each fold; every row is validated on once.
    """
    n = len(footprints)
    blocks = list(_blocks(_centers(footprints), np.arange(n), max(1, n // (_BLOCKS_OF_FOLD * count))))
    fold, held = np.zeros(n, np.intp), np.zeros((count, 2))
    for index in np.random.default_rng(seed).permutation(len(blocks)):
        rows = blocks[index]
        chosen = min(range(count), key=lambda number: tuple(held[number]))
        fold[rows] = chosen
        held[chosen] += answers[rows].sum(), len(rows)
    divided = []
    for number in range(count):
        inside, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        apart = np.ones(len(others), bool)
        apart[touching_pairs(footprints[others], footprints[inside])[0]] = False
        divided.append((others[apart], inside))
    return divided


def _centers(footprints: NDArray[np.object_]) -> NDArray[np.float64]:
    """Compute unit vectors (n, 3) to the centres: compact on the sphere, at 180 degrees and at a pole too."""
    xmin, ymin, xmax, ymax = extents(footprints).T
    return unit_vectors(np.column_stack([(xmin + xmax) / 2, (ymin + ymax) / 2]))


def _blocks(points: NDArray[np.float64], rows: NDArray[Any], block_tiles: int) -> Iterator[NDArray[Any]]:
    """Halve the rows along their longest side until no block has more than so many tiles: the leaves of a k-d tree."""
    if len(rows) <= block_tiles:
        yield rows
        return
    longest = int(np.argmax(np.ptp(points[rows], axis=0)))
    ordered = rows[np.argsort(points[rows, longest], kind="stable")]
    half = len(ordered) // 2
    yield from _blocks(points, ordered[:half], block_tiles)
    yield from _blocks(points, ordered[half:], block_tiles)
