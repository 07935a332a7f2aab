"""One hit for each place: of hits whose footprints overlap, the one that is preferred is kept.

Overlap is intersection over union, on the sphere: areas are taken in longitude and the sine of latitude, where equal
areas are equal. A small tile within a large one shows something else and is kept. It does not matter whether two tiles
are of one scene: neighbours that a stride of half a tile lays over each other (overlap 1/3) are one place as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from .schema import EXTENT
from .snapshot import Snapshot

OVERLAP = 0.3
"""From this intersection over union on, two footprints are one place."""
PAGE = 4096
"""Footprints held at once."""
STRIP = 8192
"""Extents in one tree: shapely's boxes of half a million would be 400 MB."""

Found = TypeVar("Found")


def thin(
    snapshot: Snapshot,
    rank: Callable[[int | None], tuple[NDArray[np.uint64], Found]],
    k: int | None,
    places: Literal["best", "newest"] | None,
) -> tuple[Found, NDArray[np.intp], int]:
    """The k best hits of a ranking, one for each place.

    Args:
        snapshot: where the rows are.
        rank: how many hits at most, None for all -> their row ids, best first, and what else is known of them. Asked
            again for more as long as too many of them show the same places.
        k: how many places at most; None for all.
        places: which hit of a place, see `distinct`; None keeps all hits.

    Returns:
        What is known of the hits of the last ranking, which of them are kept, and how many are left out above the last.
    """
    most = k if places is None or k is None else None if places == "newest" else 4 * k
    while True:
        rowids, found = rank(most)
        if places is None:
            return found, np.arange(len(rowids)), 0
        kept = np.flatnonzero(distinct(snapshot, rowids, places == "newest"))[:k]
        if most is None or k is None or len(kept) == k or len(rowids) < most:
            hidden = len(rowids) - len(kept) if len(kept) != k else int(kept[-1]) + 1 - k
            return found, kept, hidden
        most *= 4


def same(first: NDArray[np.object_], second: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which pairs of footprints, WGS84 and cut at the antimeridian, are one place."""
    a, b = _flat_shapes(first), _flat_shapes(second)
    shared = shapely.area(shapely.intersection(a, b))
    alike: NDArray[np.bool_] = shared >= OVERLAP * (shapely.area(a) + shapely.area(b) - shared)
    return alike


def distinct(snapshot: Snapshot, rowids: NDArray[np.uint64], newest: bool = False) -> NDArray[np.bool_]:
    """Which of the hits are kept if no two kept ones are one place.

    Greedy: the most preferred hit is kept and rules out those that overlap it, then the next that is left.

    Args:
        snapshot: where the rows are.
        rowids: (n,) of the hits, best first.
        newest: prefer the later acquisition, a hit without time last and of equal times the better; else the better.
    """
    kept = np.ones(len(rowids), bool)
    if len(rowids) < 2:
        return kept
    extents, times = _extents_and_times(snapshot, rowids)
    first, second, most = _pairs(_flat(extents))
    near = np.unique(np.concatenate([first, second]))
    areas = np.zeros(len(rowids))
    for start in range(0, len(near), PAGE):
        some = near[start : start + PAGE]
        areas[some] = shapely.area(_footprints(snapshot, rowids[some]))
    may = most >= OVERLAP / (1 + OVERLAP) * (areas[first] + areas[second]) * (1 - 1e-9)
    first, second = first[may], second[may]
    rank = _preference(times) if newest else np.arange(len(rowids))
    edges = []
    for start in range(0, len(first), PAGE):
        a, b = first[start : start + PAGE], second[start : start + PAGE]
        some, at = np.unique(np.concatenate([a, b]), return_inverse=True)
        shapes = _footprints(snapshot, rowids[some])[at]
        shared = shapely.area(shapely.intersection(shapes[: len(a)], shapes[len(a) :]))
        same = shared >= OVERLAP * (areas[a] + areas[b] - shared)
        edges.append(np.column_stack([a[same], b[same]]))
    pairs = np.concatenate(edges) if edges else np.empty((0, 2), int)
    turned = rank[pairs[:, 0]] > rank[pairs[:, 1]]
    pairs[turned] = pairs[turned, ::-1]
    for winner, loser in pairs[np.argsort(rank[pairs[:, 0]], kind="stable")].tolist():
        if kept[winner]:  # all that could rule it out has been looked at before
            kept[loser] = False
    return kept


def _extents_and_times(snapshot: Snapshot, rowids: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unwrapped extents (n, 4), and microseconds since 1970 or the least number for no time.

    In storage order and some at a time, which LanceDB reads several times faster and at a tenth of the memory.
    """
    extents, times = np.empty((len(rowids), 4)), np.empty(len(rowids), np.int64)
    order = np.argsort(rowids)
    for start in range(0, len(order), STRIP):
        some = order[start : start + STRIP]
        table = snapshot.take(rowids[some], [*EXTENT, "datetime"])
        extents[some] = np.column_stack([table[name].to_numpy() for name in EXTENT])
        times[some] = table["datetime"].cast("int64").fill_null(np.iinfo(np.int64).min).to_numpy()
    return extents, times


def _preference(times: NDArray[np.int64]) -> NDArray[np.intp]:
    """Rank of each hit, 0 for the newest."""
    order = np.lexsort((np.arange(len(times)), -times.astype(np.float64)))
    rank = np.empty(len(times), np.intp)
    rank[order] = np.arange(len(times))
    return rank


def _pairs(extents: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
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


def _flat(extents: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = extents.copy()
    flat[:, 1::2] = np.sin(np.radians(extents[:, 1::2]))
    return flat


def _footprints(snapshot: Snapshot, rowids: NDArray[np.uint64]) -> NDArray[np.object_]:
    """Footprints in longitude and sine of latitude."""
    return _flat_shapes(shapely.from_wkb(snapshot.take(rowids, ["geometry"])["geometry"].to_numpy()))


def _flat_shapes(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    flat: NDArray[np.object_] = shapely.transform(
        shapes, lambda xy: np.column_stack([xy[:, 0], np.sin(np.radians(xy[:, 1]))])
    )
    return flat
