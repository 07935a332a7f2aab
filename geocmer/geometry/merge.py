"""Footprints that overlap or touch -> polygons, in WGS84 and cut at the antimeridian."""

from __future__ import annotations

from functools import partial

import numpy as np
import shapely
from numpy.typing import NDArray

from .._types import Float64s
from .geodesy import GEOD

TOUCH_DEGREES = 1e-6
"""Footprints at this distance touch, about 0.1 m: those of neighbours are projected and meet up to rounding."""
_SIMPLE_DEGREES = 1e-7
"""Corners that stand out by less are left out, about a centimetre: edges are densified, neighbours have the same."""


def merge_footprints(footprints: NDArray[np.object_]) -> tuple[NDArray[np.intp], NDArray[np.object_]]:
    """Merge footprints that overlap or touch, across the antimeridian too.

    Args:
        footprints: (n,) polygons.

    Returns:
        Which polygon each footprint lies in, (n,), and the polygons (m,); one across the antimeridian has its parts on
        both sides.
    """
    n = len(footprints)
    if not n:
        return np.empty(0, np.intp), np.empty(0, object)
    simple = shapely.simplify(footprints, _SIMPLE_DEGREES)
    count, group = _components(touching_pairs(simple, simple), n)
    order = np.argsort(group, kind="stable")
    starts = [*np.searchsorted(group[order], np.arange(count)), n]
    alone = np.diff(starts) == 1
    merged = np.empty(count, object)
    merged[alone] = footprints[order[np.flatnonzero(np.repeat(alone, np.diff(starts)))]]
    together = order[~np.repeat(alone, np.diff(starts))]
    simple[together] = _snapped(simple[together])
    for number in np.flatnonzero(~alone):
        merged[number] = shapely.union_all(simple[order[starts[number] : starts[number + 1]]])
    return group, merged


def touching_pairs(first: NDArray[np.object_], second: NDArray[np.object_]) -> NDArray[np.intp]:
    """Find the pairs of footprints and others that overlap or touch, across the antimeridian too.

    Args:
        first: (n,) in WGS84.
        second: (m,) likewise.

    Returns:
        Rows of the first and of the second, (2, pairs).
    """
    tree = shapely.STRtree(second)
    west, _, east, _ = shapely.bounds(first).reshape(-1, 4).T
    pairs = []
    # 180 and -180 degrees are one meridian: what reaches it is looked for on its other side too.
    for turn, some in (
        (0.0, west <= east),
        (360.0, west <= TOUCH_DEGREES - 180),
        (-360.0, east >= 180 - TOUCH_DEGREES),
    ):
        turned = shapely.transform(first[some], partial(np.add, (turn, 0.0)))
        rows, others = tree.query(turned, predicate="dwithin", distance=TOUCH_DEGREES)
        pairs.append([np.flatnonzero(some)[rows], others])
    return np.concatenate(pairs, axis=1)


def geodesic_areas(polygons: NDArray[np.object_]) -> Float64s:
    """Compute the areas of polygons on the WGS84 ellipsoid, square metres, (n,)."""
    oriented = shapely.orient_polygons(polygons, exterior_cw=False)
    return np.array([GEOD.geometry_area_perimeter(polygon)[0] for polygon in oriented], np.float64)


def _snapped(footprints: NDArray[np.object_]) -> NDArray[np.object_]:
    """Bring corners that are one up to rounding to the same place, so that no slit is left between neighbours."""
    from scipy.spatial import cKDTree

    corners = shapely.get_coordinates(footprints)
    pairs = cKDTree(corners).query_pairs(TOUCH_DEGREES, output_type="ndarray").T
    _, group = _components(pairs, len(corners))
    _, first = np.unique(group, return_index=True)
    snapped: NDArray[np.object_] = shapely.set_coordinates(footprints.copy(), corners[first[group]])
    valid = shapely.is_valid(snapped)  # not so where a footprint is no larger than what is snapped
    snapped[~valid] = footprints[~valid]
    return snapped


def _components(pairs: NDArray[np.intp], count: int) -> tuple[int, NDArray[np.intp]]:
    """Number the connected groups of `count` things by the pairs (2, m) that are connected."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), shape=(count, count))
    groups, group = connected_components(graph, directed=False)
    return int(groups), group.astype(np.intp)
