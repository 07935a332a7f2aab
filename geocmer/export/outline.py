"""Footprints as a map on a screen draws them: whole across the antimeridian, with no more points than an eye sees."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

DECIMALS = 6
"""Of a degree: 0.1 m."""
PARTS_OF_SIDE = 500
"""An outline may be off by this part of a tile's side."""
Ring = list[list[float]]


def outlines(shapes: NDArray[np.object_], *, beyond_180: bool = False) -> list[list[Ring]]:
    """Outline footprints, the outer rings of each as points [lon, lat].

    Args:
        shapes: (n,) in WGS84, cut at the antimeridian.
        beyond_180: put the western hemisphere beyond 180, for a map whose middle is the antimeridian; else only the
            western parts of footprints that cross it.
    """
    whole = np.array([_whole(shape, beyond_180) for shape in shapes], dtype=object)
    simple = shapely.simplify(whole, np.sqrt(shapely.area(whole)) / PARTS_OF_SIDE)
    return [
        [shapely.get_coordinates(part.exterior).round(DECIMALS).tolist() for part in shapely.get_parts(shape)]
        for shape in simple
    ]


def unwrapped(line: BaseGeometry, beyond_180: bool) -> Ring:
    """Return the points of a line; one with points west of the antimeridian's far side goes on beyond 180."""
    points = shapely.get_coordinates(line).round(DECIMALS)
    if beyond_180 and points[:, 0].min() < 0:
        points[:, 0] += 360
    return [[float(x), float(y)] for x, y in points]


def _whole(shape: BaseGeometry, beyond_180: bool) -> BaseGeometry:
    """Join what the antimeridian cut."""
    parts = shapely.get_parts(shape)
    if len(parts) == 1 and not (beyond_180 and shape.bounds[0] < 0):
        return parts[0]
    beyond_180 = beyond_180 or (shape.bounds[0] == -180 and shape.bounds[2] == 180)
    joined: BaseGeometry = shapely.union_all([Polygon(unwrapped(part.exterior, beyond_180)) for part in parts])
    return joined
