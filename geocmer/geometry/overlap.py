"""How much footprints overlap, and when they show one place, on the sphere.

Two questions are told apart. *One place*, asked where one hit shall stand for all of a place: two footprints of any
size, one of which lies by nearly half or more in the other, as a small tile in the large one that was cut over it.
Their intersection over union (IoU) says nothing: a quarter of a tile has 1/4, and a far neighbour as much. *The same
ground*, asked where two pictures are compared: footprints of one size, by their IoU.

Areas are taken in longitude and the sine of latitude, where equal areas are equal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from .._types import Float64s

IOU_THRESHOLD = 0.3
"""From this intersection over union on, two footprints of one size show one place."""
SHARED_THRESHOLD = 2 * IOU_THRESHOLD / (1 + IOU_THRESHOLD)
"""From this share of the smaller one on, one footprint lies in the other: for two of one size it is the IoU above."""
MAX_AREA_RATIO = 25.0
"""A footprint more than so many times larger than another, five times in each direction, shows a place of its own: as
the tile of a coarse sensor it would otherwise hide the hundreds of a fine one that lie in it."""
SAME_SIZE_RATIO = 1.5
"""Footprints whose areas differ by no more are of one size: of equal grids in different latitudes and projections."""
MAX_WITHOUT_TREE = 128
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
    smaller, larger = _in_order(first, second)
    alike: NDArray[np.bool_] = nested(first, second) & (larger <= MAX_AREA_RATIO * smaller)
    return alike


def nested(first: NDArray[np.object_], second: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell of which pairs of footprints (n,), brought to equal area, one lies in the other, however large that is."""
    shared = shapely.area(shapely.intersection(first, second))
    inside: NDArray[np.bool_] = shared >= SHARED_THRESHOLD * _in_order(first, second)[0]
    return inside


def same_size(first: NDArray[np.object_], second: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell which pairs of footprints (n,), brought to equal area, are of one size, wherever they lie."""
    smaller, larger = _in_order(first, second)
    alike: NDArray[np.bool_] = larger <= SAME_SIZE_RATIO * smaller
    return alike


def _in_order(first: NDArray[np.object_], second: NDArray[np.object_]) -> tuple[Float64s, Float64s]:
    """Compute the areas of the smaller and of the larger footprint of each pair."""
    a, b = shapely.area(first), shapely.area(second)
    return np.minimum(a, b), np.maximum(a, b)


def overlapping_pairs(extents: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Find pairs (i < j) whose extents overlap, and the area that their extents share: no footprints share more.

    An extent that crosses the antimeridian is compared on both sides of it.

    Args:
        extents: (n, 4) from `equal_area_extents`.

    Returns:
        i, j and the areas, (m,) each.
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
    if len(boxes) <= MAX_WITHOUT_TREE:
        west, south, east, north = boxes.T
        meet = (west[:, None] < east) & (south[:, None] < north)
        a, b = np.nonzero(np.triu(meet & meet.T, 1))
        yield a, b
        return
    order = np.argsort(boxes[:, 1], kind="stable")
    for start in range(0, len(boxes), STRIP_ROWS):  # from south to north; a box meets its strip and some beyond
        strip_rows = order[start : start + STRIP_ROWS]
        end = int(np.searchsorted(boxes[order, 1], boxes[strip_rows, 3].max()))
        tree = shapely.STRtree(shapely.box(*(boxes[strip_rows, side] for side in range(4))))
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
