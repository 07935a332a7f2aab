"""The ground outline of a pixel window, in WGS84 and cut at the antimeridian, as RFC 7946 asks."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, cast

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely import MultiPolygon, Polygon, affinity
from shapely.geometry.base import BaseGeometry

from ..errors import CRSError
from .bbox import WGS84

_EDGE_PARTS = 16
"""Parts of each edge of a footprint: an edge that is straight in the scene's CRS is curved in degrees. A power of 2, so
that a pole on the border of a polar grid, at a corner or half-way, falls on a point."""
_POLE_DEGREES = 1e-9
"""A tenth of a millimetre: a point so near to a pole is at it."""
_MAX_TURN_DEGREES = 30.0
"""Of longitude between two points of an outline: near a pole parts are halved until they turn by less, as nobody could
tell on which side of the pole a longer one passes."""
_MAX_HALVINGS = 24
"""Of a part of an edge that leads over a pole: parts of 600 km become parts of 4 cm."""


def footprint(
    transform: Affine, width: float, height: float, crs: Any, to_degrees: Transformer | None = None
) -> Polygon | MultiPolygon:
    """Outline a pixel window on the ground.

    Args:
        transform: from pixel (column, row) to the CRS.
        width: columns.
        height: rows.
        crs: anything pyproj understands.
        to_degrees: from it, if it is at hand; telling one CRS from another costs as much as a footprint.

    Returns:
        WGS84, edges densified, counter-clockwise, cut at the antimeridian and closed over a pole.

    Raises:
        CRSError: a point of its outline cannot be placed on the Earth, or the outline folds over itself there.
    """
    a, b, c, d, e, f = transform[:6]
    columns, rows = _ring(width, height)
    transformer = to_degrees or to_wgs84(crs)
    for _ in range(_MAX_HALVINGS):
        lon, lat = transformer.transform(a * columns + b * rows + c, d * columns + e * rows + f)
        if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
            raise CRSError(
                f"a footprint in {CRS.from_user_input(crs).name!r} does not lie on the Earth; "
                "check the scene's CRS and transform"
            )
        wide = _wide_turns(lon, lat)
        if not len(wide):
            break
        columns, rows = (np.insert(n, wide + 1, (n[wide] + np.roll(n, -1)[wide]) / 2) for n in (columns, rows))
    if a * e - b * d < 0:  # rows run down: the ring is clockwise on the ground
        lon, lat = lon[::-1], lat[::-1]
    lat = np.clip(lat, -90, 90)
    if np.abs(lon).max() > 180 or np.abs(np.diff(lon, append=lon[0])).max() > 180 or np.abs(lat).max() == 90:
        whole = Polygon(close_over_pole(lon, lat))
        if not whole.is_valid:
            raise CRSError(f"a footprint in {CRS.from_user_input(crs).name!r} folds over itself on the Earth")
        return cut_at_antimeridian(whole)
    return Polygon(np.column_stack([lon, lat]))


def footprints_of_row(
    transform: Affine, columns: NDArray[np.int64], width: float, height: float, to_degrees: Transformer
) -> list[Polygon | None]:
    """Outline windows of one row at once, each as `footprint` does, ten times as fast.

    Args:
        transform: of the window in column 0.
        columns: first of each window, (n,).
        width: of each.
        height: of each.
        to_degrees: from the CRS.

    Returns:
        None for each window that has to be outlined by itself: it is cut, at a pole, or off the Earth.
    """
    a, b, c, d, e, f = transform[:6]
    across, down = _ring(width, height)
    left = columns[:, None]
    x, y = a * across + b * down + (a * left + b * 0.0 + c), d * across + e * down + (d * left + e * 0.0 + f)
    lon, lat = (part.reshape(x.shape) for part in to_degrees.transform(x.ravel(), y.ravel()))
    finite = np.isfinite(lon).all(axis=1) & np.isfinite(lat).all(axis=1)
    if a * e - b * d < 0:  # rows run down: the ring is clockwise on the ground
        lon, lat = lon[:, ::-1], lat[:, ::-1]
    lat = np.clip(lat, -90, 90)
    with np.errstate(invalid="ignore"):
        steps = np.abs(np.diff(lon, append=lon[:, :1], axis=1)).max(axis=1)
        plain = finite & (np.abs(lon).max(axis=1) <= 180) & (steps <= _MAX_TURN_DEGREES)
        plain &= np.abs(lat).max(axis=1) < 90
    found: list[Polygon | None] = [None] * len(columns)
    made: Any = shapely.polygons(np.stack([lon[plain], lat[plain]], axis=-1))
    for index, outline in zip(np.flatnonzero(plain), made, strict=True):
        found[index] = outline
    return found


def _wide_turns(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.intp]:
    """Find the points of a ring (n,) from which it turns too far around a pole on its way to the next."""
    at_pole = np.abs(lat) > 90 - _POLE_DEGREES
    return np.flatnonzero((np.abs(_turns(lon)) > _MAX_TURN_DEGREES) & ~at_pole & ~np.roll(at_pole, -1))


def _turns(lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the degrees (n,) from each point of a ring to the next, the short way; positive to the east."""
    turns: NDArray[np.float64] = (np.diff(lon, append=lon[0]) + 180) % 360 - 180
    return turns


@lru_cache(maxsize=8)
def _ring(width: float, height: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the columns and rows of the points of a window's outline."""
    steps = np.linspace(0, 1, _EDGE_PARTS + 1)[:-1]
    zero, one = np.zeros_like(steps), np.ones_like(steps)
    return np.concatenate([steps, one, 1 - steps, zero]) * width, np.concatenate([zero, steps, one, 1 - steps]) * height


def close_over_pole(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Close a ring, counter-clockwise on the ground, as (n, 2) with longitudes that run on beyond 180.

    A ring around a pole goes once around the Earth, and is closed along that pole, by the meridian of its point nearest
    to the pole: that of another may lie outside of the ring. A ring through a pole, which has every longitude, meets it
    along a meridian and leaves it along another.
    """
    polar = np.flatnonzero(np.abs(lat) > 90 - _POLE_DEGREES)
    pole = math.copysign(90, lat[polar[0]]) if len(polar) == 1 else None  # more: the edge of a geographic grid
    if pole is not None:
        lon, lat = np.roll(lon, -polar[0])[1:], np.roll(lat, -polar[0])[1:]
    else:
        around = _turns(lon).sum()
        if abs(around) > 180:
            pole = math.copysign(90, around)  # what lies to the left of a way east is north
            nearest = int(np.argmax(lat * np.sign(pole)))
            lon, lat = np.roll(lon, -nearest), np.roll(lat, -nearest)
        lon, lat = np.append(lon, lon[0]), np.append(lat, lat[0])
    lon = np.unwrap(lon, period=360)
    if pole is not None:
        lon, lat = np.append(lon, (lon[-1], lon[0])), np.append(lat, (pole, pole))
    return np.column_stack([lon, lat])


def cut_at_antimeridian(area: BaseGeometry) -> Polygon | MultiPolygon:
    """Bring polygons with longitudes beyond 180 to -180..180, cutting straight edges at the antimeridian."""
    west, _, east, _ = area.bounds
    parts = []
    for world in range(math.floor((west + 180) / 360), math.ceil((east - 180) / 360) + 1):
        part = shapely.intersection(area, shapely.box(360 * world - 180, -90, 360 * world + 180, 90))
        moved = affinity.translate(part, -360 * world)
        parts += [piece for piece in shapely.get_parts(moved).tolist() if piece.geom_type == "Polygon"]
    whole: Any = shapely.orient_polygons(shapely.union_all(parts))
    return cast("Polygon | MultiPolygon", whole)


@lru_cache(maxsize=64)
def to_wgs84(crs: Any) -> Transformer:
    """Make, once for each CRS, the transformer to longitude and latitude in degrees."""
    return Transformer.from_crs(CRS.from_user_input(crs), WGS84, always_xy=True)
