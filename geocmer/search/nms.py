"""Non-maximum suppression: of hits whose footprints overlap, only the preferred one is kept.

It does not matter whether two tiles are of one scene, nor of one size (`overlap.same_place`): neighbours that a stride
of half a tile lays over each other are one place, and so are a tile and the larger one that was cut over it. The better
of the two is the hit; another small tile in the large one is a place of its own, unless the large one is the best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from .._types import Rows
from ..geometry.overlap import (
    MAX_AREA_RATIO,
    SHARED_THRESHOLD,
    STRIP_ROWS,
    equal_area_extents,
    overlapping_pairs,
    same_place,
    to_equal_area,
)
from ..store.filter import Filter
from ..store.schema import EXTENT
from ..store.snapshot import Snapshot

BATCH_FOOTPRINTS = 4096
"""Footprints held at once."""

Ranking = TypeVar("Ranking")


def suppress_overlaps(
    snapshot: Snapshot,
    filter: Filter,
    rank: Callable[[int | None], tuple[NDArray[np.uint64], Ranking]],
    k: int | None,
    keep: Literal["best", "newest"] | None,
) -> tuple[Ranking, NDArray[np.intp], int]:
    """Take the k best hits of a ranking, one for each place.

    Args:
        snapshot: where the rows are.
        filter: that every hit meets.
        rank: how many hits at most, None for all -> their row ids, best first, and what else is known of them. Called
            again for more as long as too many of them show the same places.
        k: how many places at most; None for all.
        keep: which hit of a place, see `nms_mask`; None keeps all hits.

    Returns:
        What is known of the hits of the last ranking, the positions (m,) of those that are kept, and how many are left
        out above the last of these.

    Raises:
        InputError: nothing was found, as a condition is on a category that no tile has.
    """
    limit = first_limit(k, keep)
    while True:
        rowids, ranking = rank(limit)
        kept = np.arange(len(rowids)) if keep is None else np.flatnonzero(nms_mask(snapshot, rowids, keep == "newest"))
        kept = kept[:k]
        if keep is None or is_enough(kept, len(rowids), k, limit) or limit is None:
            break
        limit *= 4
    if not len(kept):
        snapshot.require_categories(filter.categories)
    return ranking, kept, count_hidden(kept, len(rowids), k)


def is_enough(kept: NDArray[np.intp], found: int, k: int | None, limit: int | None) -> bool:
    """Tell whether the places that are kept of so many hits are the k that are wanted, or all that there are."""
    return k is None or limit is None or len(kept) >= k or found < limit


def count_hidden(kept: NDArray[np.intp], found: int, k: int | None) -> int:
    """Count the hits that are left out above the last one that is kept, among so many."""
    return int(kept[-1]) + 1 - k if len(kept) == k else found - len(kept)


def first_limit(k: int | None, keep: Literal["best", "newest"] | None) -> int | None:
    """Tell how many hits a ranking of places begins with; None for all."""
    return k if keep is None or k is None else None if keep == "newest" else 4 * k


def nms_mask(
    snapshot: Snapshot, rowids: NDArray[np.uint64], newest: bool = False, owners: Rows | None = None
) -> NDArray[np.bool_]:
    """Decide which hits are kept, (n,), so that no two of them show one place.

    Greedy: the most preferred hit is kept and rules out those that overlap it, then the next that is left.

    Args:
        snapshot: where the rows are.
        rowids: (n,) of the hits, best first.
        newest: prefer the later acquisition, a hit without time last and of equal times the better; else the better.
        owners: (n,) ascending, the answers that the hits are of, which do not touch each other; None: one answer.
    """
    kept = np.ones(len(rowids), bool)
    if len(rowids) < 2:
        return kept
    tiles, at = (rowids, None) if owners is None else np.unique(rowids, return_inverse=True)
    extents, times = _extents_and_times(snapshot, tiles)
    pairs = _pairs_of_one_place(snapshot, tiles, extents)
    if owners is not None and at is not None:
        times, pairs = times[at], _pairs_of_each(pairs, at, owners)
    rank = _newest_rank(times) if newest else np.arange(len(rowids))
    swapped = rank[pairs[:, 0]] > rank[pairs[:, 1]]
    pairs[swapped] = pairs[swapped, ::-1]
    for winner, loser in pairs[np.argsort(rank[pairs[:, 0]], kind="stable")].tolist():
        if kept[winner]:  # all that could rule it out has been looked at before
            kept[loser] = False
    return kept


def _pairs_of_one_place(
    snapshot: Snapshot, rowids: NDArray[np.uint64], extents: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Find the pairs (m, 2) of tiles that show one place."""
    first, second, shared_bound = overlapping_pairs(equal_area_extents(extents))
    in_pairs = np.unique(np.concatenate([first, second]))
    areas = np.zeros(len(rowids))
    for start in range(0, len(in_pairs), BATCH_FOOTPRINTS):
        batch = in_pairs[start : start + BATCH_FOOTPRINTS]
        areas[batch] = shapely.area(_equal_area_footprints(snapshot, rowids[batch]))
    smaller, larger = np.minimum(areas[first], areas[second]), np.maximum(areas[first], areas[second])
    possible = (shared_bound >= SHARED_THRESHOLD * smaller * (1 - 1e-9)) & (larger <= MAX_AREA_RATIO * smaller)
    first, second = first[possible], second[possible]
    pairs = [np.empty((0, 2), np.intp)]
    for start in range(0, len(first), BATCH_FOOTPRINTS):
        a, b = first[start : start + BATCH_FOOTPRINTS], second[start : start + BATCH_FOOTPRINTS]
        unique, position = np.unique(np.concatenate([a, b]), return_inverse=True)
        shapes = _equal_area_footprints(snapshot, rowids[unique])[position]
        same = same_place(shapes[: len(a)], shapes[len(a) :])
        pairs.append(np.column_stack([a[same], b[same]]))
    return np.concatenate(pairs)


def _pairs_of_each(pairs: NDArray[np.intp], tiles: Rows, owners: Rows) -> NDArray[np.intp]:
    """Find the pairs (m, 2) of hits of one owner each, of pairs of their tiles; hits have (n,) tiles and owners."""
    count = int(tiles.max()) + 1
    keys = owners * count + tiles
    by_key, by_tile = np.argsort(keys), np.argsort(tiles, kind="stable")
    begins = np.searchsorted(tiles[by_tile], np.arange(count + 1))
    times = np.diff(begins)[pairs[:, 0]]  # how often the first tile of a pair was hit
    nth = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    first = by_tile[np.repeat(begins[pairs[:, 0]], times) + nth]
    wanted = owners[first] * count + np.repeat(pairs[:, 1], times)
    place = np.minimum(np.searchsorted(keys[by_key], wanted), len(keys) - 1)
    there = keys[by_key[place]] == wanted
    return np.column_stack([first[there], by_key[place[there]]])


def _extents_and_times(snapshot: Snapshot, rowids: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read unwrapped extents (n, 4), and microseconds since 1970, the least number for no time.

    From the memory-mapped cache, if it is open; else in storage order and some at a time, which LanceDB reads several
    times faster and at a tenth of the memory.
    """
    if (cache := snapshot.mmap_cache) is not None:
        rows = cache.rows_of(rowids)
        return cache.extents[rows], cache.moments[rows]
    extents, times = np.empty((len(rowids), 4)), np.empty(len(rowids), np.int64)
    order = np.argsort(rowids)
    for start in range(0, len(order), STRIP_ROWS):
        batch = order[start : start + STRIP_ROWS]
        table = snapshot.take(rowids[batch], [*EXTENT, "datetime"])
        extents[batch] = np.column_stack([table[name].to_numpy() for name in EXTENT])
        times[batch] = table["datetime"].cast("int64").fill_null(np.iinfo(np.int64).min).to_numpy()
    return extents, times


def _newest_rank(times: NDArray[np.int64]) -> NDArray[np.intp]:
    """Rank hits by time, 0 for the newest."""
    order = np.lexsort((np.arange(len(times)), -times.astype(np.float64)))
    rank = np.empty(len(times), np.intp)
    rank[order] = np.arange(len(times))
    return rank


def _equal_area_footprints(snapshot: Snapshot, rowids: NDArray[np.uint64]) -> NDArray[np.object_]:
    """Read footprints, in longitude and sine of latitude."""
    if (cache := snapshot.mmap_cache) is not None:
        return to_equal_area(cache.footprints(cache.rows_of(rowids)))
    return to_equal_area(shapely.from_wkb(snapshot.take(rowids, ["geometry"])["geometry"].to_numpy()))
