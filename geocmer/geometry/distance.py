"""Distances between footprints: between their nearest points, on the WGS84 ellipsoid."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .._types import Float64s
from .geodesy import GEOD

_STEP = 0.02
"""Longest piece of an outline, degrees. Edges are straight in longitude and latitude; a piece of this length leaves its
chord through space by less than 10 cm."""


_FEW = 24
"""Pieces in an outline that is not worth a tree."""


_TOGETHER = 256
"""Pairs of such outlines that are compared at once, 30 MB at most."""


_FAR = 1e6
"""Metres beyond which the middles of the pieces stand for them, at most 0.2 % of the distance off: towards the
antipodes all chords grow alike, and every piece would be compared with every other."""


def distances(first: NDArray[np.object_], second: NDArray[np.object_]) -> Float64s:
    """Metres between the nearest points of footprints, pair by pair; 0 where they share a point.

    Args:
        first: (n,) polygons, WGS84, cut at the antimeridian.
        second: (n,) polygons.
    """
    metres = np.zeros(len(first))
    apart = np.flatnonzero(~shapely.intersects(first, second))
    few = _simple(first[apart]) & _simple(second[apart])
    simple, others = apart[few], apart[~few]
    for start in range(0, len(simple), _TOGETHER):
        some = simple[start : start + _TOGETHER]
        metres[some] = _all_pieces(first[some], second[some])
    outline = lru_cache(maxsize=1024)(_Outline)
    for pair in others:
        metres[pair] = outline(first[pair]).distance(outline(second[pair]))
    return metres


def _simple(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which outlines surely have so few pieces that comparing all with all is cheapest: those of most tiles."""
    pieces = shapely.get_num_coordinates(geometries) + shapely.length(geometries) / _STEP
    result: NDArray[np.bool_] = pieces <= _FEW
    return result


def _all_pieces(first: NDArray[np.object_], second: NDArray[np.object_]) -> Float64s:
    """Metres between outlines that do not cross, every piece of one compared with every piece of the other."""
    here, mine = _pieces(first)
    yonder, theirs = _pieces(second)
    ours, others = (np.bincount(owner, minlength=len(first)) for owner in (mine, theirs))
    every = ours * others
    pair = np.repeat(np.arange(len(first)), every)
    within = np.arange(len(pair)) - _starts(every)[pair]
    here = here[:, _starts(ours)[pair] + within // others[pair]]
    yonder = yonder[:, _starts(others)[pair] + within % others[pair]]
    chords, at, there = _segments(*map(_in_space, (*here, *yonder)))
    best = np.lexsort((chords, pair))[_starts(every)]
    points = (*_along(here[:, best], at[best, None]).T, *_along(yonder[:, best], there[best, None]).T)
    result: Float64s = np.asarray(GEOD.inv(*points)[2])
    return result


class _Outline:
    """The edges of a footprint in space, where chords order as geodesics do and no place is special."""

    def __init__(self, geometry: Any) -> None:
        self.lonlat = _pieces(np.array([geometry]))[0]
        self.start, self.end = _in_space(self.lonlat[0]), _in_space(self.lonlat[1])
        self.half = np.linalg.norm(self.end - self.start, axis=1) / 2
        self.tree = cKDTree((self.start + self.end) / 2)

    def distance(self, other: _Outline) -> float:
        """Metres between two outlines that do not cross."""
        chord, nearest = self.tree.query(other.tree.data)
        near = int(chord.argmin())
        if chord[near] > _FAR:
            here, yonder = self.lonlat[:, nearest[near]], other.lonlat[:, near]
            return float(GEOD.inv(*_along(here, 0.5), *_along(yonder, 0.5))[2])
        around = chord[near] + self.half.max() + other.half.max()
        pairs = self.tree.query_ball_tree(other.tree, around)
        mine = np.repeat(np.arange(len(pairs)), [len(found) for found in pairs])
        theirs = np.concatenate([np.asarray(found, np.intp) for found in pairs])
        chords, at, there = _segments(self.start[mine], self.end[mine], other.start[theirs], other.end[theirs])
        best = int(chords.argmin())
        here = _along(self.lonlat[:, mine[best]], at[best])
        yonder = _along(other.lonlat[:, theirs[best]], there[best])
        return float(GEOD.inv(*here, *yonder)[2])


def _pieces(geometries: NDArray[np.object_]) -> tuple[Float64s, NDArray[np.intp]]:
    """The edges of outlines cut into pieces (2, m, 2) of at most `_STEP`, and the outline (m,) of each.

    An edge along a pole is what it is in space: nothing.
    """
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    edges = np.flatnonzero(ring[1:] == ring[:-1])
    start, end = points[edges], points[edges + 1]
    lon, lat = (end - start).T
    narrow = np.cos(np.radians(np.minimum(np.abs(start[:, 1]), np.abs(end[:, 1]))))
    lon = lon * np.sqrt(narrow)  # an arc of a parallel leaves its chord by radius * angle^2 / 8, and the radius shrinks
    count = np.ceil(np.hypot(lon, lat) / _STEP + 1e-9).astype(np.intp)
    count[(lat == 0) & (narrow < 1e-12)] = 0  # along a pole
    edge = np.repeat(np.arange(len(count)), count)
    piece = (np.arange(len(edge)) - _starts(count)[edge])[:, None]
    ends = [start[edge] + (piece + at) / count[edge, None] * (end - start)[edge] for at in (0, 1)]
    return np.stack(ends), owner[part[ring[edges]]][edge]


def _starts(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where the items of each begin, if they stand end to end."""
    result: NDArray[np.intp] = np.cumsum(counts) - counts
    return result


def _along(edge: Float64s, share: float | Float64s) -> Float64s:
    result: Float64s = edge[0] + share * (edge[1] - edge[0])
    return result


def _in_space(lonlat: Float64s) -> Float64s:
    """Points (n, 2) on the ellipsoid as (n, 3) metres from the centre of the Earth."""
    lon, lat = np.radians(lonlat.T)
    normal = GEOD.a / np.sqrt(1 - GEOD.es * np.sin(lat) ** 2)
    flat = normal * np.cos(lat)
    return np.column_stack([flat * np.cos(lon), flat * np.sin(lon), normal * (1 - GEOD.es) * np.sin(lat)])


def _segments(p1: Float64s, q1: Float64s, p2: Float64s, q2: Float64s) -> tuple[Float64s, Float64s, Float64s]:
    """Nearest points of line segments in space, (n, 3) each: distances, and the shares of both segments at which.

    Ericson, Real-Time Collision Detection (2005), section 5.1.9: the nearest points of the lines, held to the segments.
    """
    d1, d2, r = q1 - p1, q2 - p2, p1 - p2
    a, e, b = (np.maximum(_dot(d1, d1), 1e-12), np.maximum(_dot(d2, d2), 1e-12), _dot(d1, d2))
    c, f = _dot(d1, r), _dot(d2, r)
    spread = a * e - b * b
    s = np.where(spread > 1e-12 * a * e, np.clip((b * f - c * e) / np.maximum(spread, 1e-300), 0, 1), 0)
    t = (b * s + f) / e
    s = np.where(t < 0, np.clip(-c / a, 0, 1), np.where(t > 1, np.clip((b - c) / a, 0, 1), s))
    t = np.clip(t, 0, 1)
    return np.linalg.norm(r + s[:, None] * d1 - t[:, None] * d2, axis=1), s, t


def _dot(a: Float64s, b: Float64s) -> Float64s:
    products: Float64s = np.einsum("ij,ij->i", a, b)
    return products
