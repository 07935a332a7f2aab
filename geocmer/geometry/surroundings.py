"""All places within a distance of points, lines and areas, by geodesics on the WGS84 ellipsoid.

A circle around a point is drawn by azimuths and distances from it. A line is taken in pieces, each in an azimuthal
equidistant map about its own middle, where shapely draws the band around it; pieces are short, so that the map is true
to a ten-thousandth of the distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from .._types import Float64s
from ..errors import InputError
from .geodesy import GEOD
from .reproject import area_within, line_to_wgs84, polygon_to_wgs84
from .vector_file import simple_parts

MAX_METRES = 2_000_000.0
"""Beyond this a band is so wide that maps of its pieces are no longer true."""
_QUARTER_SEGMENTS = 64
"""Edges of a quarter circle: they lie inside it by less than a ten-thousandth of its radius."""
_STEP_DEGREES = 0.05
_PIECE_METRES = 20_000.0


def surroundings(geometries: Sequence[BaseGeometry], crs: CRS, metres: float) -> list[BaseGeometry]:
    """Draw what lies within a distance of points, lines and polygons: areas in WGS84, cut at the antimeridian.

    Raises:
        InputError: the distance is not above 0, or beyond `MAX_METRES`.
        CRSError: a point does not lie on the Earth.
    """
    if not 0 < metres <= MAX_METRES:
        raise InputError(
            f"a distance of {metres:g} m cannot be drawn; give one above 0 and up to {MAX_METRES / 1000:g} km"
        )
    areas: list[BaseGeometry] = []
    for part in shapely.force_2d(simple_parts(geometries)):
        if isinstance(part, Polygon):
            area = polygon_to_wgs84(part, crs)
            areas.append(area)
            lines = [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(area))]
        else:
            lines = [line_to_wgs84(shapely.get_coordinates(part), crs)]
        areas += [_band(piece, metres) for line in lines for piece in _pieces(line)]
    return areas


def _pieces(lonlat: Float64s) -> Iterator[Float64s]:
    """Cut a line (n, 2) into pieces of points near each other, which share their ends."""
    path = np.column_stack([np.unwrap(lonlat[:, 0], period=360), lonlat[:, 1]])
    if len(path) > 1:
        path = shapely.get_coordinates(shapely.segmentize(shapely.LineString(path), _STEP_DEGREES))
    lengths = GEOD.inv(*path[:-1].T, *path[1:].T)[2] if len(path) > 1 else np.empty(0)
    block = (np.concatenate([[0.0], np.cumsum(lengths)]) // _PIECE_METRES).astype(np.intp)
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(path) - 1], strict=True):
        yield path[start : max(end, start) + 1]


def _band(points: Float64s, metres: float) -> BaseGeometry:
    """Draw what lies within a distance of a short line (n, 2), or of one point."""
    middle = points[len(points) // 2]
    azimuth, _, distance = GEOD.inv(*np.broadcast_to(middle, points.shape).T, *points.T)
    turned = np.radians(azimuth)
    plane = np.column_stack([distance * np.sin(turned), distance * np.cos(turned)])
    line = shapely.LineString(plane) if len(plane) > 1 else shapely.Point(plane[0])
    band = shapely.segmentize(shapely.buffer(line, metres, quad_segs=_QUARTER_SEGMENTS), 1000.0)
    return area_within([_on_earth(shapely.get_coordinates(ring), middle) for ring in shapely.get_rings(band)])


def _on_earth(plane: Float64s, middle: Float64s) -> NDArray[np.float64]:
    """Bring a ring (n, 2) of an azimuthal map to longitude and latitude, counter-clockwise."""
    if not shapely.LinearRing(plane).is_ccw:
        plane = plane[::-1]
    azimuth, distance = np.degrees(np.arctan2(plane[:, 0], plane[:, 1])), np.hypot(*plane.T)
    start_lon, start_lat = np.broadcast_to(middle, plane.shape).T
    lon, lat, _ = GEOD.fwd(start_lon, start_lat, azimuth, distance)
    return np.column_stack([lon, lat])
