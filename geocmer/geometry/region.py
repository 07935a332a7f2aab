"""An area on the ground, in WGS84 and cut at the antimeridian."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from ..errors import InputError
from .bbox import WGS84, BBox
from .region_reader import read_file, read_geojson, read_wkt
from .reproject import polygon_to_wgs84
from .surroundings import surroundings
from .vector_file import shorten, valid_polygons

_WKT = re.compile(r"SRID\s*=|(?:CURVE)?POLYGON|MULTI|POINT|LINESTRING|LINEARRING|GEOMETRYCOLLECTION", re.IGNORECASE)


def is_wkt(text: str) -> bool:
    """Tell whether a text is taken for WKT, and not for the name of a file."""
    return _WKT.match(text.strip().removeprefix("\ufeff")) is not None


@dataclass(frozen=True, slots=True)
class Region:
    """An area in WGS84, cut at the antimeridian.

    Attributes:
        geometry: the area.
        source: where it was read from.
        note: what a reader of it should know: that it is wider than 180 degrees; empty otherwise.
    """

    geometry: Polygon | MultiPolygon
    source: str
    note: str = field(default="", compare=False)

    @classmethod
    def from_bbox(cls, box: BBox) -> Self:
        """Make a region of a box."""
        return cls(box.to_shapely(), "bbox")

    @classmethod
    def parse(cls, text: str, within: float | None = None) -> Self:
        """Read a file, WKT (`SRID=4326;` allowed) or GeoJSON text.

        Args:
            text: a path, `FILE#layer=NAME`, `FILE#name=Texas`, or the text of a geometry.
            within: metres around its points, lines and areas that belong to the region; None: only its areas.

        Raises:
            InputError: it is none of them, holds no area, or its coordinates are not those of its CRS.
            CRSError: a file has no CRS, or a point does not lie on the Earth.
        """
        stripped = text.strip().removeprefix("\ufeff")
        if stripped.startswith("{"):
            return cls._of(*read_geojson(stripped), "given as GeoJSON text", within)
        if is_wkt(stripped):
            return cls._of(*read_wkt(stripped), "given as WKT", within)
        return cls.from_file(stripped, within=within)

    @classmethod
    def from_file(cls, path: str | Path, layer: str | None = None, within: float | None = None) -> Self:
        """Read all polygons of a vector file, in any CRS.

        Args:
            path: GeoPackage, GeoJSON, GeoParquet, CSV with a column of WKT, or what else GDAL reads.
            layer: which, of several; also as `FILE#layer=NAME`. `FILE#name=Texas` selects the features that have this
                value in this column; several values of one column are united, several columns must all hold.
            within: metres around its points, lines and areas that belong to the region; None: only its areas.

        Raises:
            InputError: it cannot be read, holds no area, or has several layers and none is named.
            CRSError: it has no CRS, or a point does not lie on the Earth.
        """
        return cls._of(*read_file(path, layer), shorten(str(path)), within)

    @classmethod
    def _of(cls, geometries: list[BaseGeometry | None], crs: CRS, source: str, within: float | None) -> Self:
        """Unite the areas among geometries in a CRS, or what lies within a distance of all of them."""
        if within is not None:
            found = [g for g in geometries if g is not None and not g.is_empty]
            if not found:
                raise InputError(f"region {source} holds nothing; give points, lines or areas")
            _check_coordinates(found, crs, source)
            around: Any = shapely.union_all(surroundings(found, crs, within))
            return cls(cast("Polygon | MultiPolygon", around), source)
        polygons = valid_polygons(geometries)
        if not polygons:
            raise InputError(f"region {source} holds no polygon with an area; give an area, not points or lines")
        _check_coordinates(polygons, crs, source)
        union: Any = shapely.union_all([polygon_to_wgs84(polygon, crs) for polygon in polygons])
        wide = max((p.bounds[2] - p.bounds[0] for p in polygons), default=0.0) if crs.is_geographic else 0.0
        note = (
            f"the region is {wide:g} degrees wide; for one across the antimeridian write longitudes beyond 180, for "
            "instance 170 to 190"
            if 180 < wide < 360
            else ""
        )
        return cls(cast("Polygon | MultiPolygon", union), source, note)

    def intersects(self, geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Tell which of the geometries (n,) share at least a point with the region, (n,)."""
        shapely.prepare(self.geometry)
        result: NDArray[np.bool_] = shapely.intersects(self.geometry, geometries)
        return result

    def boxes(self) -> tuple[BBox, ...]:
        """Bound each part by a box, for coarse filters."""
        return tuple(BBox.around(bounds) for bounds in shapely.bounds(shapely.get_parts(self.geometry)).tolist())


def _check_coordinates(geometries: Sequence[BaseGeometry], crs: CRS, source: str) -> None:
    """Refuse coordinates that are not finite, or no degrees where degrees are expected.

    Raises:
        InputError: some are so.
    """
    coordinates = shapely.get_coordinates(geometries)
    if not np.isfinite(coordinates).all():
        raise InputError(f"region {source} has coordinates that are not finite; correct them")
    if not crs.equals(WGS84, ignore_axis_order=True):
        return
    (west, south), (east, north) = coordinates.min(axis=0), coordinates.max(axis=0)
    if south >= -90 and north <= 90 and west >= -360 and east <= 360 and east - west <= 360:
        return
    extent = f"region {source} reaches from {west:g} {south:g} to {east:g} {north:g}, which is not in degrees"
    if max(-west, east) <= 90 and max(-south, north) <= 360:
        raise InputError(f"{extent}, longitude first; perhaps the axes are swapped: write longitude before latitude")
    raise InputError(f"{extent}; name its CRS, for instance SRID=32632;POLYGON((...)), or give a file that has one")
