"""Distances between footprints: between their nearest points, on the WGS84 ellipsoid."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from .._types import Float64s
from .geodesy import GEOD

_MAX_PIECE_DEGREES = 0.02
"""Longest piece of an outline. Edges are straight in longitude and latitude; a piece of this length leaves its chord
through space by less than 10 cm."""
_MAX_SIMPLE_PIECES = 24
"""Pieces up to which comparing all with all is cheaper than a tree."""
_BATCH_PAIRS = 256
"""Pairs of such outlines that are compared at once, 30 MB at most."""
_FAR_METRES = 1e6
"""Beyond this the middles of the pieces stand for them, at most 0.2 % of the distance off: towards the antipodes all
chords grow alike, and every piece would be compared with every other."""


def distances(first: NDArray[np.object_], second: NDArray[np.object_]) -> Float64s:
    """Measure metres between the nearest points of footprints, pair by pair; 0 where they share a point.

    Args:
        first: (n,) polygons, WGS84, cut at the antimeridian.
        second: (n,) polygons.
    """
    metres = np.zeros(len(first))
    apart = np.flatnonzero(~shapely.intersects(first, second))
    both_simple = _is_simple(first[apart]) & _is_simple(second[apart])
    simple, others = apart[both_simple], apart[~both_simple]
    for start in range(0, len(simple), _BATCH_PAIRS):
        batch = simple[start : start + _BATCH_PAIRS]
        metres[batch] = _brute_force_distances(first[batch], second[batch])
    outline = lru_cache(maxsize=1024)(_Outline)
    for pair in others:
        metres[pair] = outline(first[pair]).distance(outline(second[pair]))
    return metres


def _is_simple(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell which outlines surely have few pieces, as those of most tiles do."""
    pieces = shapely.get_num_coordinates(geometries) + shapely.length(geometries) / _MAX_PIECE_DEGREES
    result: NDArray[np.bool_] = pieces <= _MAX_SIMPLE_PIECES
    return result


def _brute_force_distances(first: NDArray[np.object_], second: NDArray[np.object_]) -> Float64s:
    """Measure metres between outlines that do not cross, comparing every piece of one with every piece of the other."""
    pieces_a, owners_a = _pieces(first)
    pieces_b, owners_b = _pieces(second)
    counts_a, counts_b = (np.bincount(owners, minlength=len(first)) for owners in (owners_a, owners_b))
    counts = counts_a * counts_b
    pair = np.repeat(np.arange(len(first)), counts)
    within = np.arange(len(pair)) - _starts(counts)[pair]
    segments_a = pieces_a[:, _starts(counts_a)[pair] + within // counts_b[pair]]
    segments_b = pieces_b[:, _starts(counts_b)[pair] + within % counts_b[pair]]
    chords, shares_a, shares_b = _segment_distances(*map(_to_xyz, (*segments_a, *segments_b)))
    nearest = np.lexsort((chords, pair))[_starts(counts)]
    points_a = _interpolate(segments_a[:, nearest], shares_a[nearest, None])
    points_b = _interpolate(segments_b[:, nearest], shares_b[nearest, None])
    result: Float64s = np.asarray(GEOD.inv(*points_a.T, *points_b.T)[2])
    return result


class _Outline:
    """The edges of a footprint in space, where chords order as geodesics do and no place is special."""

    def __init__(self, geometry: BaseGeometry) -> None:
        self.lonlat = _pieces(np.array([geometry]))[0]
        self.start, self.end = _to_xyz(self.lonlat[0]), _to_xyz(self.lonlat[1])
        self.half_length = np.linalg.norm(self.end - self.start, axis=1) / 2
        self.tree = cKDTree((self.start + self.end) / 2)

    def distance(self, other: _Outline) -> float:
        """Measure metres to an outline that this one does not cross."""
        chords, nearest = self.tree.query(other.tree.data)
        closest = int(chords.argmin())
        if chords[closest] > _FAR_METRES:
            piece_a, piece_b = self.lonlat[:, nearest[closest]], other.lonlat[:, closest]
            return float(GEOD.inv(*_interpolate(piece_a, 0.5), *_interpolate(piece_b, 0.5))[2])
        radius = chords[closest] + self.half_length.max() + other.half_length.max()
        neighbors = self.tree.query_ball_tree(other.tree, radius)
        rows_a = np.repeat(np.arange(len(neighbors)), [len(found) for found in neighbors])
        rows_b = np.concatenate([np.asarray(found, np.intp) for found in neighbors])
        chords, shares_a, shares_b = _segment_distances(
            self.start[rows_a], self.end[rows_a], other.start[rows_b], other.end[rows_b]
        )
        best = int(chords.argmin())
        point_a = _interpolate(self.lonlat[:, rows_a[best]], shares_a[best])
        point_b = _interpolate(other.lonlat[:, rows_b[best]], shares_b[best])
        return float(GEOD.inv(*point_a, *point_b)[2])


def _pieces(geometries: NDArray[np.object_]) -> tuple[Float64s, NDArray[np.intp]]:
    """Cut the edges of outlines into pieces (2, m, 2) of at most `_MAX_PIECE_DEGREES`; (m,) the outline of each.

    An edge along a pole is what it is in space: nothing.
    """
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    edges = np.flatnonzero(ring[1:] == ring[:-1])
    start, end = points[edges], points[edges + 1]
    lon, lat = (end - start).T
    narrowing = np.cos(np.radians(np.minimum(np.abs(start[:, 1]), np.abs(end[:, 1]))))
    lon = lon * np.sqrt(narrowing)  # an arc of a parallel leaves its chord by radius * angle^2 / 8; the radius shrinks
    count = np.ceil(np.hypot(lon, lat) / _MAX_PIECE_DEGREES + 1e-9).astype(np.intp)
    count[(lat == 0) & (narrowing < 1e-12)] = 0  # along a pole
    edge = np.repeat(np.arange(len(count)), count)
    piece = (np.arange(len(edge)) - _starts(count)[edge])[:, None]
    ends = [start[edge] + (piece + side) / count[edge, None] * (end - start)[edge] for side in (0, 1)]
    return np.stack(ends), owner[part[ring[edges]]][edge]


def _starts(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Tell where each group begins if groups of these sizes stand end to end."""
    result: NDArray[np.intp] = np.cumsum(counts) - counts
    return result


def _interpolate(edge: Float64s, share: float | Float64s) -> Float64s:
    result: Float64s = edge[0] + share * (edge[1] - edge[0])
    return result


def _to_xyz(lonlat: Float64s) -> Float64s:
    """Convert points (n, 2) on the ellipsoid to (n, 3) metres from the centre of the Earth."""
    lon, lat = np.radians(lonlat.T)
    normal = GEOD.a / np.sqrt(1 - GEOD.es * np.sin(lat) ** 2)
    equatorial = normal * np.cos(lat)
    return np.column_stack([equatorial * np.cos(lon), equatorial * np.sin(lon), normal * (1 - GEOD.es) * np.sin(lat)])


def _segment_distances(p1: Float64s, q1: Float64s, p2: Float64s, q2: Float64s) -> tuple[Float64s, Float64s, Float64s]:
    """Measure segments p1 q1 and p2 q2 in space, (n, 3) each: distances, and the shares of both where they are nearest.

    Ericson, Real-Time Collision Detection (2005), section 5.1.9: the nearest points of the lines, held to the segments.
    """
    d1, d2, r = q1 - p1, q2 - p2, p1 - p2
    a, e, b = (np.maximum(_dot(d1, d1), 1e-12), np.maximum(_dot(d2, d2), 1e-12), _dot(d1, d2))
    c, f = _dot(d1, r), _dot(d2, r)
    determinant = a * e - b * b
    s = np.where(determinant > 1e-12 * a * e, np.clip((b * f - c * e) / np.maximum(determinant, 1e-300), 0, 1), 0)
    t = (b * s + f) / e
    s = np.where(t < 0, np.clip(-c / a, 0, 1), np.where(t > 1, np.clip((b - c) / a, 0, 1), s))
    t = np.clip(t, 0, 1)
    return np.linalg.norm(r + s[:, None] * d1 - t[:, None] * d2, axis=1), s, t


def _dot(a: Float64s, b: Float64s) -> Float64s:
    products: Float64s = np.einsum("ij,ij->i", a, b)
    return products
