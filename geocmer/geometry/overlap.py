"""How much footprints overlap: intersection over union, on the sphere.

Areas are taken in longitude and the sine of latitude, where equal areas are equal.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

OVERLAP = 0.3
"""From this intersection over union on, two footprints are one place."""


STRIP = 8192
"""Extents in one tree: shapely's boxes of half a million would be 400 MB."""


def same(first: NDArray[np.object_], second: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which pairs of footprints, WGS84 and cut at the antimeridian, are one place."""
    a, b = to_equal_area(first), to_equal_area(second)
    shared = shapely.area(shapely.intersection(a, b))
    alike: NDArray[np.bool_] = shared >= OVERLAP * (shapely.area(a) + shapely.area(b) - shared)
    return alike


def overlapping_pairs(extents: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Pairs (i < j) whose extents overlap, and the area that their extents share, which their footprints cannot exceed.

    An extent that crosses the antimeridian is compared on both sides of it.
    """
    across = np.flatnonzero(extents[:, 2] > 180)
    owner = np.concatenate([np.arange(len(extents)), across])
    boxes = np.concatenate([extents, extents[across] - [360, 0, 360, 0]])
    order = np.argsort(boxes[:, 1], kind="stable")
    first, second, areas = [np.empty(0, np.intp)], [np.empty(0, np.intp)], [np.empty(0)]
    for start in range(0, len(boxes), STRIP):  # from south to north; a box meets those of its strip and of some beyond
        mine = order[start : start + STRIP]
        end = int(np.searchsorted(boxes[order, 1], boxes[mine, 3].max()))
        tree = shapely.STRtree(shapely.box(*boxes[mine].T))
        for other in range(start, end, STRIP):
            theirs = order[other : min(other + STRIP, end)]
            b, a = tree.query(shapely.box(*boxes[theirs].T))
            later = other + b > start + a  # each pair once
            a, b = mine[a[later]], theirs[b[later]]
            sides = np.minimum(boxes[a, 2:], boxes[b, 2:]) - np.maximum(boxes[a, :2], boxes[b, :2])
            keep = (owner[a] != owner[b]) & (sides > 0).all(axis=1)
            first.append(np.minimum(owner[a], owner[b])[keep])
            second.append(np.maximum(owner[a], owner[b])[keep])
            areas.append(sides[keep].prod(axis=1))
    codes = np.concatenate(first) * len(extents) + np.concatenate(second)
    pairs, at = np.unique(codes, return_inverse=True)
    return pairs // len(extents), pairs % len(extents), np.bincount(at, np.concatenate(areas), len(pairs)).astype(float)


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
