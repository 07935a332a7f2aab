"""An area on the ground, read from WKT, GeoJSON or a vector file in any CRS, in WGS84 and cut at the antimeridian."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from ..errors import CRSError, InputError
from .bbox import WGS84, BBox
from .footprint import cut_at_antimeridian


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
        return cut_at_antimeridian(union)
    return cast("Polygon | MultiPolygon", union)
