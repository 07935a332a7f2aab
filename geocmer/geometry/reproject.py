"""An area in any CRS -> WGS84: edges straight in the CRS stay where they are, across 180 degrees and over poles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import shapely
from pyproj import CRS, Transformer
from shapely import MultiPolygon, Polygon

from .._types import Float64s
from ..errors import CRSError
from .bbox import WGS84
from .footprint import close_over_pole, cut_at_antimeridian, to_wgs84
from .geodesy import unit_vectors

TOLERANCE_DEGREES = 1e-6
"""How far an edge may leave its true course, 0.1 m on the ground: less than a pixel of any scene."""
_MAX_STEP_DEGREES = 30.0
"""Longest step in longitude: with longer ones it would be unclear which way around the Earth they go."""
_MAX_ROUNDS = 24
"""Halvings of an edge: it may run through a pole, where no part of it is short enough in longitude."""
_FIRST_PARTS = 64
"""Parts of the bounds' longer side that no edge's part exceeds: a curve may bend both ways, its middle on the chord."""


def polygon_to_wgs84(polygon: Polygon, crs: CRS) -> Polygon | MultiPolygon:
    """Bring a valid polygon in any CRS to WGS84, cut at the antimeridian.

    Raises:
        CRSError: a point of it does not lie on the Earth.
    """
    if crs.equals(WGS84, ignore_axis_order=True):
        return cut_at_antimeridian(polygon) if polygon.bounds[0] < -180 or polygon.bounds[2] > 180 else polygon
    polygon = shapely.force_2d(polygon)
    transformer = to_wgs84(crs)
    mirrored = _is_mirrored(polygon, transformer, crs)
    rings = []
    for ring in (polygon.exterior, *polygon.interiors):
        turned = ring.reverse() if ring.is_ccw == mirrored else ring
        rings.append(_densified(shapely.get_coordinates(turned), transformer, crs))
    return area_within(rings)


def line_to_wgs84(xy: Float64s, crs: CRS) -> Float64s:
    """Bring the points (n, 2) of a line in any CRS to WGS84, with more of them where it is not straight there.

    Raises:
        CRSError: a point of it does not lie on the Earth.
    """
    if crs.equals(WGS84, ignore_axis_order=True):
        return xy
    return _densified(xy, to_wgs84(crs), crs)


def area_within(rings: Sequence[Float64s]) -> Polygon | MultiPolygon:
    """Make the area within a ring and outside others, cut at the antimeridian.

    Args:
        rings: (n, 2) longitudes and latitudes each, closed and counter-clockwise on the ground: the outline, the holes.
    """
    outside, *holes = map(_area_of, rings)
    area: Any = shapely.difference(outside, shapely.union_all(holes)) if holes else outside
    return cast("Polygon | MultiPolygon", area)


def _area_of(lonlat: Float64s) -> Polygon | MultiPolygon:
    lon, lat = lonlat[:-1].T
    area: Any = shapely.make_valid(Polygon(close_over_pole(lon, lat)), method="structure", keep_collapsed=False)
    return area if area.is_empty else cut_at_antimeridian(area)


def _densified(xy: Float64s, transformer: Transformer, crs: CRS) -> Float64s:
    """Bring a line (n, 2) to longitude and latitude, with points in between until it keeps to its course."""
    if len(xy) < 2:
        return _lonlat(transformer, xy, crs)
    (west, south), (east, north) = xy.min(axis=0), xy.max(axis=0)
    longest = max(east - west, north - south) / _FIRST_PARTS
    if longest > 0:
        xy = shapely.get_coordinates(shapely.segmentize(shapely.LineString(xy), longest))
    lonlat = _lonlat(transformer, xy, crs)
    for _ in range(_MAX_ROUNDS):
        middle = (xy[:-1] + xy[1:]) / 2
        middle_lonlat = _lonlat(transformer, middle, crs)
        step = _wrap(lonlat[1:] - lonlat[:-1])
        off = _wrap(middle_lonlat - lonlat[:-1]) - step / 2
        narrowing = np.cos(np.radians(middle_lonlat[:, 1]))
        bent = np.hypot(off[:, 0] * narrowing, off[:, 1]) > TOLERANCE_DEGREES
        wide = (np.abs(step[:, 0]) > _MAX_STEP_DEGREES) & (narrowing > 1e-12)
        split = np.flatnonzero(bent | wide)
        if not len(split):
            break
        xy = np.insert(xy, split + 1, middle[split], axis=0)
        lonlat = np.insert(lonlat, split + 1, middle_lonlat[split], axis=0)
    return lonlat


def _lonlat(transformer: Transformer, xy: Float64s, crs: CRS) -> Float64s:
    """Transform points (n, 2).

    Raises:
        CRSError: one of them does not lie on the Earth.
    """
    lonlat = np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
    wrong = np.flatnonzero(~np.isfinite(lonlat).all(axis=1))
    if len(wrong):
        x, y = xy[wrong[0]]
        raise CRSError(
            f"the point {x:g} {y:g} of the region does not lie on the Earth in {crs.name!r}; "
            "check its coordinates and CRS"
        )
    lonlat[:, 1] = np.clip(lonlat[:, 1], -90, 90)
    return lonlat


def _wrap(difference: Float64s) -> Float64s:
    """Take differences (n, 2) of longitude the short way around."""
    wrapped = difference.copy()
    wrapped[:, 0] = (wrapped[:, 0] + 180) % 360 - 180
    return wrapped


def _is_mirrored(polygon: Polygon, transformer: Transformer, crs: CRS) -> bool:
    """Tell whether a turn to the left in the CRS is one to the right on the ground: its axes run west and north."""
    point = polygon.representative_point()
    west, south, east, north = polygon.bounds
    step = max(east - west, north - south) * 1e-6
    x, y = np.array([0, step, 0]) + point.x, np.array([0, 0, step]) + point.y
    start, right, up = unit_vectors(_lonlat(transformer, np.column_stack([x, y]), crs))
    return bool(np.dot(np.cross(right - start, up - start), start) < 0)
