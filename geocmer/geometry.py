"""Places on the ground: boxes, regions and footprints, all in WGS84 longitude and latitude, degrees.

A geometry that crosses the antimeridian is cut there, as RFC 7946 asks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely import MultiPolygon, Polygon, affinity
from shapely.geometry.base import BaseGeometry

from .errors import CRSError, InputError

WGS84 = CRS.from_epsg(4326)

_EDGE_PARTS = 16
"""Parts of each edge of a footprint: an edge that is straight in the scene's CRS is curved in degrees. A power of 2, so
that a pole on the border of a polar grid, at a corner or half-way, falls on a point."""

_SLIT = 1e-6
"""Degrees. Parts cut at one meridian differ by rounding there; a gap that counts is wider."""


@dataclass(frozen=True, slots=True)
class BBox:
    """A box in degrees. `west > east` crosses the antimeridian.

    Raises:
        InputError: a number is not finite or out of range, or south > north.
    """

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        values = (self.west, self.south, self.east, self.north)
        text = ",".join(f"{v:g}" for v in values)
        if not all(math.isfinite(v) for v in values):
            raise InputError(f"box {text} is not finite; give west,south,east,north in degrees")
        if not (
            -180 <= self.west <= 180
            and -180 <= self.east <= 180
            and -90 <= self.south <= 90
            and -90 <= self.north <= 90
        ):
            raise InputError(
                f"box {text} leaves longitude -180..180 or latitude -90..90; give west,south,east,north in degrees"
            )
        if self.south > self.north:
            raise InputError(f"box {text} has south > north; the order is west,south,east,north")

    @classmethod
    def parse(cls, text: str) -> Self:
        """From "west,south,east,north"."""
        try:
            west, south, east, north = (float(v) for v in text.split(","))
        except ValueError as error:
            raise InputError(
                f"box {text!r} is not four numbers; write west,south,east,north, for instance -79,35,-78,36"
            ) from error
        return cls(west, south, east, north)

    def parts(self) -> tuple[BBox, ...]:
        """The box itself, or its two halves where it crosses the antimeridian."""
        if self.west <= self.east:
            return (self,)
        return BBox(self.west, self.south, 180.0, self.north), BBox(-180.0, self.south, self.east, self.north)

    def to_shapely(self) -> Polygon | MultiPolygon:
        """As a polygon, or two."""
        boxes = [shapely.box(b.west, b.south, b.east, b.north) for b in self.parts()]
        return boxes[0] if len(boxes) == 1 else MultiPolygon(boxes)


@dataclass(frozen=True, slots=True)
class Region:
    """An area in WGS84, cut at the antimeridian."""

    geometry: Polygon | MultiPolygon
    source: str

    @classmethod
    def from_bbox(cls, box: BBox) -> Self:
        """The area of a box."""
        return cls(box.to_shapely(), "bbox")

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a file's path, WKT (`SRID=4326;` allowed) or GeoJSON text.

        Raises:
            InputError: it is none of them, or holds no polygon.
        """
        stripped = text.strip()
        if stripped.startswith("{"):
            return cls(_polygons(_from_geojson(stripped), "the GeoJSON text"), "GeoJSON")
        if stripped.upper().startswith(("POLYGON", "MULTIPOLYGON", "SRID=", "GEOMETRYCOLLECTION")):
            return cls(_polygons([_from_wkt(stripped)], "the WKT"), "WKT")
        return cls.from_file(stripped)

    @classmethod
    def from_file(cls, path: str | Path, layer: str | None = None) -> Self:
        """All polygons of a vector file, in any CRS.

        Raises:
            InputError: it cannot be read, or holds no polygon.
            CRSError: it has no CRS.
        """
        import geopandas

        if not Path(path).exists():
            raise InputError(
                f"region {str(path)!r} is neither a file nor WKT; give a GeoJSON or GeoPackage file, or POLYGON((...))"
            )
        try:
            frame = geopandas.read_file(path, layer=layer) if layer else geopandas.read_file(path)
        except Exception as error:  # pyogrio raises its own unrelated types
            raise InputError(
                f"region file {path} cannot be read ({str(error).splitlines()[0]}); give a vector file of polygons"
            ) from error
        if frame.crs is None:
            raise CRSError(f"region file {path} has no CRS; assign one, for instance with ogr2ogr -a_srs EPSG:4326")
        return cls(_polygons(list(frame.to_crs(4326).geometry), str(path)), str(path))

    def intersects(self, geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Which of the geometries share at least a point with the region."""
        shapely.prepare(self.geometry)
        result: NDArray[np.bool_] = shapely.intersects(self.geometry, geometries)
        return result

    def boxes(self) -> tuple[BBox, ...]:
        """Bounding boxes of the parts, for coarse filters."""
        bounds = np.clip(shapely.bounds(shapely.get_parts(self.geometry)), (-180, -90, -180, -90), (180, 90, 180, 90))
        return tuple(BBox(*map(float, b)) for b in bounds)


def footprint(transform: Affine, width: float, height: float, crs: Any) -> Polygon | MultiPolygon:
    """The ground outline of a pixel window.

    Args:
        transform: from pixel (column, row) to the CRS.
        width: columns.
        height: rows.
        crs: anything pyproj understands.

    Returns:
        WGS84, edges densified, counter-clockwise, cut at the antimeridian and closed over a pole.

    Raises:
        CRSError: a corner cannot be placed on the Earth.
    """
    steps = np.linspace(0, 1, _EDGE_PARTS + 1)[:-1]
    zero, one = np.zeros_like(steps), np.ones_like(steps)
    columns = np.concatenate([steps, one, 1 - steps, zero]) * width
    rows = np.concatenate([zero, steps, one, 1 - steps]) * height
    a, b, c, d, e, f = transform[:6]
    lon, lat = _to_wgs84(crs).transform(a * columns + b * rows + c, d * columns + e * rows + f)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise CRSError(
            f"a footprint in {CRS.from_user_input(crs).name!r} does not lie on the Earth; "
            "check the scene's CRS and transform"
        )
    if a * e - b * d < 0:  # rows run down: the ring is clockwise on the ground
        lon, lat = lon[::-1], lat[::-1]
    lat = np.clip(lat, -90, 90)
    if np.abs(lon).max() > 180 or np.abs(np.diff(lon, append=lon[0])).max() > 180 or np.abs(lat).max() == 90:
        return _wrapped(Polygon(_closed_over_a_pole(lon, lat)))
    return Polygon(np.column_stack([lon, lat]))


def _closed_over_a_pole(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ring (n, 2) with longitudes that run on beyond 180, from one that is counter-clockwise on the ground.

    A ring around a pole goes once around the Earth, and is closed along that pole. A ring through a pole, which has
    every longitude, meets it along a meridian and leaves it along another.
    """
    at = np.flatnonzero(np.abs(lat) > 90 - 1e-9)
    pole = math.copysign(90, lat[at[0]]) if len(at) == 1 else None  # more: the edge of a geographic grid
    if pole is not None:
        lon, lat = np.roll(lon, -at[0])[1:], np.roll(lat, -at[0])[1:]
    else:
        lon, lat = np.append(lon, lon[0]), np.append(lat, lat[0])
    lon = np.unwrap(lon, period=360)
    if pole is None and abs(lon[-1] - lon[0]) > 180:
        pole = math.copysign(90, lon[-1] - lon[0])  # what lies to the left of a way east is north
    if pole is not None:
        lon, lat = np.append(lon, (lon[-1], lon[0])), np.append(lat, (pole, pole))
    return np.column_stack([lon, lat])


def _wrapped(area: BaseGeometry) -> Polygon | MultiPolygon:
    """Polygons with longitudes beyond 180, cut at the antimeridian along straight edges and moved to -180..180."""
    west, _, east, _ = area.bounds
    parts = []
    for turn in range(math.floor((west + 180) / 360), math.ceil((east - 180) / 360) + 1):
        part = shapely.intersection(area, shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90))
        moved = affinity.translate(part, -360 * turn)
        parts += [piece for piece in shapely.get_parts(moved).tolist() if piece.geom_type == "Polygon"]
    whole: Any = shapely.orient_polygons(shapely.union_all(parts))
    return cast("Polygon | MultiPolygon", whole)


def extent(geometry: BaseGeometry) -> tuple[float, float, float, float]:
    """Unwrapped bounds: `xmin` in -180..180; `xmax` exceeds 180 for a geometry cut at the antimeridian.

    A geometry whose parts leave no meridian free, as one over a pole, has the whole circle: -180, 180.
    """
    xmin, ymin, xmax, ymax = geometry.bounds
    parts = shapely.bounds(shapely.get_parts(geometry))
    if xmin == -180 and xmax == 180 and len(parts) > 1:
        west = np.sort(parts[:, 0])[1:]
        reach = np.maximum.accumulate(parts[parts[:, 0].argsort(), 2])[:-1]  # how far east all parts before it go
        widest = int(np.argmax(west - reach))
        if west[widest] > reach[widest] + _SLIT:
            return float(west[widest]), ymin, float(reach[widest]) + 360, ymax
    return xmin, ymin, xmax, ymax


def runs(extents: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Extents around each `size` of (n, 4) extents that follow each other."""
    starts = np.arange(0, len(extents), size)
    least = np.minimum.reduceat(extents[:, :2], starts)
    return np.hstack([least, np.maximum.reduceat(extents[:, 2:], starts)])


@lru_cache(maxsize=64)
def _to_wgs84(crs: Any) -> Transformer:
    return Transformer.from_crs(CRS.from_user_input(crs), WGS84, always_xy=True)


def _from_geojson(text: str) -> list[BaseGeometry]:
    try:
        document = json.loads(text)
        features = document.get("features", [document])
        return [shapely.geometry.shape(f.get("geometry") or f) for f in features]
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, shapely.errors.ShapelyError) as error:
        raise InputError(f"region is not valid GeoJSON ({error}); give a polygon") from error


def _from_wkt(text: str) -> BaseGeometry:
    srid, _, wkt = text.rpartition(";")
    try:
        geometry = shapely.from_wkt(wkt)
    except shapely.errors.ShapelyError as error:
        raise InputError(
            f"region is not valid WKT ({str(error).splitlines()[0]}); write POLYGON((lon lat, ...))"
        ) from error
    if srid and srid.upper() != "SRID=4326":
        try:
            transformer = Transformer.from_crs(CRS.from_epsg(int(srid.split("=")[1])), WGS84, always_xy=True)
        except (ValueError, IndexError, pyproj.exceptions.CRSError) as error:
            raise InputError(f"region has the unknown {srid!r}; write an EPSG code, for instance SRID=32632") from error
        geometry = shapely.transform(geometry, lambda p: np.column_stack(transformer.transform(p[:, 0], p[:, 1])))
    return geometry


def _polygons(geometries: Iterable[BaseGeometry | None], source: str) -> Polygon | MultiPolygon:
    """The union of the polygons, cut at the antimeridian."""
    found = [
        shapely.make_valid(g)
        for g in geometries
        if g is not None and not g.is_empty and g.geom_type.endswith("Polygon")
    ]
    if not found:
        raise InputError(f"region {source} holds no polygon; give an area, not points or lines")
    if not np.isfinite(shapely.total_bounds(np.array(found))).all():
        raise InputError(f"region {source} has coordinates that are not finite; correct them")
    union: Any = shapely.union_all(found)
    if union.bounds[0] < -180 or union.bounds[2] > 180:
        return _wrapped(union)
    return cast("Polygon | MultiPolygon", union)
