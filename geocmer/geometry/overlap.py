"""How much footprints overlap: intersection over union (IoU), on the sphere.

Areas are taken in longitude and the sine of latitude, where equal areas are equal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

IOU_THRESHOLD = 0.3
"""From this intersection over union on, two footprints show one place."""
FEW = 128
"""Extents of which comparing all with all is quicker than a tree."""
STRIP_ROWS = 8192
"""Extents in one tree: shapely's boxes of half a million would be 400 MB."""


def intersection_over_union(first: NDArray[np.object_], second: NDArray[np.object_]) -> NDArray[np.float64]:
    """Compute the IoU of pairs of footprints (n,), brought to equal area."""
    shared = shapely.area(shapely.intersection(first, second))
    share: NDArray[np.float64] = shared / (shapely.area(first) + shapely.area(second) - shared)
    return share


def same_place(first: NDArray[np.object_], second: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell which pairs of footprints (n,), brought to equal area, show one place."""
    shared = shapely.area(shapely.intersection(first, second))
    union = shapely.area(first) + shapely.area(second) - shared
    alike: NDArray[np.bool_] = shared >= IOU_THRESHOLD * union
    return alike


def overlapping_pairs(extents: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Find pairs (i < j) whose extents overlap, and the area that their extents share: no footprints share more.

    An extent that crosses the antimeridian is compared on both sides of it.
    """
    across = np.flatnonzero(extents[:, 2] > 180)
    owner = np.concatenate([np.arange(len(extents)), across])
    boxes = np.concatenate([extents, extents[across] - [360, 0, 360, 0]])
    first, second, areas = [np.empty(0, np.intp)], [np.empty(0, np.intp)], [np.empty(0)]
    for a, b in _box_pairs(boxes):
        sides = np.minimum(boxes[a, 2:], boxes[b, 2:]) - np.maximum(boxes[a, :2], boxes[b, :2])
        keep = (owner[a] != owner[b]) & (sides > 0).all(axis=1)
        first.append(np.minimum(owner[a], owner[b])[keep])
        second.append(np.maximum(owner[a], owner[b])[keep])
        areas.append(sides[keep].prod(axis=1))
    codes = np.concatenate(first) * len(extents) + np.concatenate(second)
    pairs, at = np.unique(codes, return_inverse=True)
    return pairs // len(extents), pairs % len(extents), np.bincount(at, np.concatenate(areas), len(pairs)).astype(float)


def _box_pairs(boxes: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield pairs of boxes (n, 4), each once, with all that overlap among them."""
    if len(boxes) <= FEW:
        west, south, east, north = boxes.T
        meet = (west[:, None] < east) & (south[:, None] < north)
        a, b = np.nonzero(np.triu(meet & meet.T, 1))
        yield a, b
        return
    order = np.argsort(boxes[:, 1], kind="stable")
    for start in range(0, len(boxes), STRIP_ROWS):  # from south to north; a box meets its strip and some beyond
        strip_rows = order[start : start + STRIP_ROWS]
        end = int(np.searchsorted(boxes[order, 1], boxes[strip_rows, 3].max()))
        tree = shapely.STRtree(shapely.box(*boxes[strip_rows].T))
        for other_start in range(start, end, STRIP_ROWS):
            other_rows = order[other_start : min(other_start + STRIP_ROWS, end)]
            b, a = tree.query(shapely.box(*boxes[other_rows].T))
            later = other_start + b > start + a  # each pair once
            yield strip_rows[a[later]], other_rows[b[later]]


def equal_area_extents(extents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring extents (n, 4) in degrees to longitude and the sine of latitude."""
    flat = extents.copy()
    flat[:, 1::2] = np.sin(np.radians(extents[:, 1::2]))
    return flat


def to_equal_area(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Bring footprints (n,) in degrees to longitude and the sine of latitude."""
    flat: NDArray[np.object_] = shapely.transform(
        shapes, lambda xy: np.column_stack([xy[:, 0], np.sin(np.radians(xy[:, 1]))])
    )
    return flat
