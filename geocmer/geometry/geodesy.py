"""Circles around tiles, bearings and lines: geodesics on the WGS84 ellipsoid, over arrays of tiles.

The distance between the circles of two tiles is a lower bound of the distance between the tiles, is cheap, and needs no
care at the antimeridian and the poles; `distance` decides from the outlines, for the few pairs that matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely import LineString, MultiLineString, affinity

from .._types import Float64s

GEOD = Geod(ellps="WGS84")
MIN_METRES_PER_RADIAN = GEOD.a * (1 - GEOD.es)
"""Least metres of ground per radian, latitude and longitude taken for a sphere's: the radius of curvature of a meridian
is nowhere smaller than at the equator. So a geodesic is never shorter than this times the angle."""


@dataclass(frozen=True, slots=True)
class Caps:
    """A circle around each of n tiles, on the unit sphere.

    Attributes:
        lonlat: (n, 2) centres, degrees: the middle of a tile's extent, the pole for one that reaches around it.
        xyz: (n, 3) the same as unit vectors.
        radii: (n,) radians.
    """

    lonlat: Float64s
    xyz: Float64s
    radii: Float64s

    def __len__(self) -> int:
        return len(self.radii)

    @classmethod
    def around(cls, extents: Float64s) -> Self:
        """Draw circles around unwrapped extents (n, 4): xmin, ymin, xmax, ymax in degrees."""
        west, south, east, north = extents.T
        lon, lat = centres(extents).T
        middle, half = np.radians(lat), np.radians((east - west) / 2)
        # Along a meridian less than 90 degrees away, a corner is farther than anything between the corners.
        cosines = [
            np.sin(middle) * np.sin(edge) + np.cos(middle) * np.cos(edge) * np.cos(half)
            for edge in (np.radians(south), np.radians(north))
        ]
        radii = np.arccos(np.clip(np.minimum(*cosines), -1, 1)) + 1e-7  # arccos near 1 is good to 1e-8
        lonlat = np.column_stack([lon, lat])
        return cls(lonlat, unit_vectors(lonlat), radii)

    def take(self, rows: NDArray[np.intp]) -> Caps:
        """Select circles by row."""
        return Caps(self.lonlat[rows], self.xyz[rows], self.radii[rows])


def unit_vectors(lonlat: Float64s) -> Float64s:
    """Compute the unit vectors (n, 3) of points (n, 2), longitude and latitude in degrees, on the sphere."""
    lon, lat = np.radians(lonlat.T)
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def min_distances(chords: Float64s, radii: Float64s) -> Float64s:
    """Compute the metres (n,) that footprints are apart at least, from the circles around them.

    Args:
        chords: (n,) between the centres, on the unit sphere.
        radii: (n,) of both circles together, radians.
    """
    angles = 2 * np.arcsin(np.clip(chords / 2, 0, 1))
    result: Float64s = MIN_METRES_PER_RADIAN * np.maximum(angles - radii, 0)
    return result


def centres(extents: Float64s) -> Float64s:
    """Compute longitude and latitude (n, 2) of the middle of unwrapped extents (n, 4); the pole for one around it."""
    west, south, east, north = extents.T
    lon, lat = (west + east) / 2, (south + north) / 2
    lat = np.where(east - west > 180, np.where(lat < 0, -90.0, 90.0), lat)
    return np.column_stack([(lon + 180) % 360 - 180, lat])


def bearings(start: Float64s, end: Float64s) -> Float64s:
    """Compute azimuths (n,) of geodesics from points to points (n, 2): degrees clockwise from true north, 0..360."""
    azimuth = GEOD.inv(start[:, 0], start[:, 1], end[:, 0], end[:, 1])[0]
    result: Float64s = np.asarray(azimuth, dtype=np.float64) % 360
    return result


def geodesic_line(start: Float64s, end: Float64s) -> LineString | MultiLineString:
    """Draw the geodesic between two points (lon, lat), a vertex every 10 km or less, cut at the antimeridian."""
    metres = GEOD.inv(*start, *end)[2]
    inner = [] if metres <= 10_000 else GEOD.npts(start[0], start[1], end[0], end[1], int(metres // 10_000))
    points = np.array([tuple(start), *inner, tuple(end)])
    points[:, 0] = np.unwrap(points[:, 0], period=360)
    whole = LineString(points)
    west, _, east, _ = whole.bounds
    if west >= -180 and east <= 180:
        return whole
    shifts = (turn for turn in (-360, 0, 360) if west < turn + 180 and east > turn - 180)
    parts: list[Any] = [
        affinity.translate(shapely.intersection(whole, shapely.box(turn - 180, -90, turn + 180, 90)), -turn)
        for turn in shifts
    ]
    return MultiLineString([part for part in parts if part.length])
