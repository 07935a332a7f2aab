"""Where a scene lies: its CRS and transform, checked to be on the Earth, and the outline and size of its pixels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import rasterio.crs
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.transform import from_gcps
from shapely import MultiPolygon, Polygon

from ..errors import CRSError
from ..geometry.footprint import footprint, footprints_of_row, to_wgs84
from ..geometry.geodesy import GEOD
from .address import SceneAddress

MAX_GCP_RESIDUAL_PIXELS = 5.0
"""Ground control points that a straight grid misses by more need a real warp."""
MIN_GSD_METRES = 1e-3
"""A smaller pixel is no remote sensing: degrees taken for metres."""
EARTH_RADII_METRES = (6.3e6, 6.45e6)
_GSD_TOLERANCE = 1.01
"""Where the scale of a projection varies by less over a scene, one ground resolution stands for all of its tiles."""
_WRAPS_AROUND = re.compile(r"(?<!Transverse )(?<!Oblique )Mercator|Cylindrical|Equirectangular|Plate Carr|Miller", re.I)
"""Projections whose x goes on beyond 180 degrees: coordinates there come back as others, and are right."""


@dataclass(frozen=True)
class Georeference:
    """The place of a raster's pixels.

    Attributes:
        crs: of the raster.
        transform: from pixel (column, row) to `crs`.
        width: columns.
        height: rows.
        note: what the user should know about it, or "".
    """

    crs: CRS
    transform: Affine
    width: int
    height: int
    note: str = ""

    @classmethod
    def of(cls, path: SceneAddress, dataset: Any, use_gcps: bool = False) -> Self:
        """Read the georeference of an open raster.

        Args:
            path: for messages.
            dataset: an open rasterio dataset.
            use_gcps: fit the transform to the ground control points, where there is no geotransform.

        Raises:
            CRSError: it has none, or one that is not on the Earth.
        """
        points, gcp_crs = dataset.gcps
        transform, note, file_crs = dataset.transform, "", dataset.crs
        if transform.is_identity:  # what GDAL reports where there is no geotransform
            # Points in the raster's own CRS that fit a straight grid are a geotransform in other words.
            exact = dataset.crs is not None and dataset.crs == gcp_crs and _gcp_residual(points) <= 1
            if not (points and (use_gcps or exact)):
                raise CRSError(_no_transform(path, dataset, len(points)))
            transform, file_crs = _fit_gcps(path, points), gcp_crs or dataset.crs
            note = f"placed by {len(points)} ground control points, missed by up to {_gcp_residual(points):.1f} pixels"
        if file_crs is None:
            raise CRSError(f"scene {path} has no CRS; assign one with: rio edit-info --crs EPSG:CODE {path.name}")
        crs = earth_crs(file_crs, f"scene {path}")
        if transform.is_degenerate or not np.isfinite(transform[:6]).all():
            raise CRSError(f"scene {path} has a transform without area {tuple(transform[:6])}; correct it")
        found = cls(crs, transform, dataset.width, dataset.height, note)
        found._check(path)
        return found

    def footprint(self, transform: Affine, width: float, height: float) -> Polygon | MultiPolygon:
        """Outline a window on the ground, in WGS84; see `geometry.footprint`.

        Args:
            transform: from the window's pixel (column, row) to the CRS.
            width: its columns.
            height: its rows.

        Raises:
            CRSError: a part of it lies off the Earth, or beyond the edge of the projection.
        """
        corners = [transform @ at for at in ((0, 0), (width, 0), (width, height), (0, height))]
        if not self._round_trips(np.array(corners), transform):
            raise CRSError(f"a footprint in {self.crs.name!r} lies beyond the edge of the projection")
        outline = footprint(transform, width, height, self.crs, self._to_degrees)
        if outline.is_empty or not outline.area > 0:
            raise CRSError(f"a footprint in {self.crs.name!r} has no area on the Earth; check the scene's CRS")
        return outline

    def footprints(
        self, transform: Affine, columns: NDArray[np.int64], width: float, height: float
    ) -> Iterator[Polygon | MultiPolygon | CRSError]:
        """Outline windows of one row as `footprint` does; yields the error of each that has none.

        Args:
            transform: of the window in column 0.
            columns: first of each window, (n,).
            width: of each.
            height: of each.
        """
        corners = [transform @ at for at in ((0, 0), (width, 0), (width, height), (0, height))]
        shifts = np.outer(columns, (transform.a, transform.d))
        known = footprints_of_row(transform, columns, width, height, self._to_degrees)
        ends = np.array(corners)[None] + shifts[:, None]  # (n, 4, 2)
        whole = self._round_trips(ends.reshape(-1, 2), transform)
        areas = shapely.area(np.array(known, object))
        for column, outline, area in zip(columns, known, areas, strict=True):
            if whole and outline is not None and area > 0:
                yield outline
                continue
            try:
                yield self.footprint(transform @ Affine.translation(int(column), 0), width, height)
            except CRSError as error:
                yield error

    def pixel_size(self, column: float, row: float) -> tuple[float, float]:
        """Measure a pixel on the ground: metres from column to column and from row to row, NaN off the Earth."""
        a, b, c, d, e, f = (self.transform @ Affine.translation(column, row))[:6]
        lon, lat = to_wgs84(self.crs).transform(
            [c - a / 2, c + a / 2, c - b / 2, c + b / 2], [f - d / 2, f + d / 2, f - e / 2, f + e / 2]
        )
        if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
            return float("nan"), float("nan")
        _, _, metres = GEOD.inv([lon[0], lon[2]], [lat[0], lat[2]], [lon[1], lon[3]], [lat[1], lat[3]])
        return float(metres[0]), float(metres[1])

    def gsd(self, column: float, row: float) -> float:
        """Compute the ground resolution at a pixel, metres: the root of the area it covers, for turned grids too."""
        try:
            pixel = self.footprint(self.transform @ Affine.translation(column - 0.5, row - 0.5), 1, 1)
        except CRSError:
            return float("nan")
        area, _ = GEOD.geometry_area_perimeter(pixel)
        return float(abs(area) ** 0.5)

    @cached_property
    def reference_pixel(self) -> tuple[float, float]:
        """The centre of the scene, or, where that is off the Earth, a pixel nearest to it that is not."""
        grid = [(i, j) for i in np.linspace(0.5, self.width - 0.5, 9) for j in np.linspace(0.5, self.height - 0.5, 9)]
        centre = self.width / 2, self.height / 2
        nearest = sorted(grid, key=lambda at: (at[0] - centre[0]) ** 2 + (at[1] - centre[1]) ** 2)
        return next((at for at in (centre, *nearest) if np.isfinite(self.gsd(*at))), centre)

    @cached_property
    def uniform_gsd(self) -> bool:
        """Whether one ground resolution stands for the whole scene, within a hundredth."""
        ends = [(i * self.width, j * self.height) for i in (0.001, 0.5, 0.999) for j in (0.001, 0.5, 0.999)]
        found = [self.gsd(*at) for at in ends]
        return bool(np.isfinite(found).all() and max(found) <= min(found) * _GSD_TOLERANCE)

    @cached_property
    def _to_degrees(self) -> Transformer:
        return to_wgs84(self.crs)

    @cached_property
    def _wraps_around(self) -> bool:
        return bool(self.crs.is_geographic or _WRAPS_AROUND.search(_method(self.crs)))

    def _round_trips(self, points: np.ndarray[Any, Any], transform: Affine) -> bool:
        """Tell whether coordinates (n, 2) come back from degrees to within a pixel: beyond the limb they do not."""
        if self._wraps_around:
            return True
        to_degrees = self._to_degrees
        x, y = to_degrees.transform(*to_degrees.transform(points[:, 0], points[:, 1]), direction="INVERSE")
        pixel = abs(transform.determinant) ** 0.5
        return bool((np.hypot(x - points[:, 0], y - points[:, 1]) <= pixel).all())  # infinite compares as false

    def _check(self, path: SceneAddress) -> None:
        """Refuse coordinates that no place on the Earth has."""
        at = f"scene {path} in {self.crs.name!r}"
        if self.crs.is_geographic:
            size = (self.width, self.height)
            corners = np.array([self.transform @ p for p in ((0, 0), (size[0], 0), size, (0, size[1]))])
            (west, south), (east, north) = corners.min(0), corners.max(0)
            pixel = max(abs(n) for n in (self.transform.a, self.transform.b, self.transform.d, self.transform.e))
            turn = half_turn(self.crs)
            if max(-south, north) > turn / 2 + pixel or max(-west, east) > 3 * turn or east - west > 2 * turn + pixel:
                swap = -turn / 2 <= west <= east <= turn / 2 and max(-south, north) <= 2 * turn
                hint = "longitude and latitude look swapped" if swap else "they look like metres of a projected CRS"
                raise CRSError(
                    f"{at} spans x {west:g} to {east:g}, y {south:g} to {north:g}, which are no degrees on the Earth; "
                    f"{hint}: correct the CRS or the transform"
                )
        gsd = self.gsd(*self.reference_pixel)
        if not np.isfinite(gsd):
            corner = self.transform @ (0, 0)
            raise CRSError(
                f"{at} does not lie on the Earth: its corner is {corner[0]:g}, {corner[1]:g}; correct the CRS or the "
                "transform"
            )
        if gsd < MIN_GSD_METRES:
            raise CRSError(f"{at} has pixels of {gsd:g} m; its transform looks like degrees: correct the CRS")


def half_turn(crs: CRS) -> float:
    """Give 180 degrees in the unit of a geographic CRS."""
    return float(np.pi / crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 180.0


def earth_crs(found: Any, owner: str) -> CRS:
    """Give a rasterio or pyproj CRS as pyproj's, if it is one of the Earth.

    Args:
        found: the CRS.
        owner: what has it, for messages.

    Raises:
        CRSError: it is local, of another body, vertical or geocentric, or PROJ cannot use it.
    """
    try:
        # rasterio hands over WKT of 1999, which has no spherical methods: EPSG:9311 would be off by 9 km
        crs = CRS.from_user_input(found.to_wkt(version="WKT2_2019") if isinstance(found, rasterio.crs.CRS) else found)
        horizontal = crs.sub_crs_list[0] if crs.is_compound else crs
        if horizontal.is_bound and horizontal.source_crs is not None:
            horizontal = horizontal.source_crs
        name, ellipsoid = horizontal.name, horizontal.ellipsoid
        if horizontal.is_engineering or horizontal.is_vertical or horizontal.is_geocentric or ellipsoid is None:
            kind = "vertical" if horizontal.is_vertical else "geocentric" if horizontal.is_geocentric else "local"
            raise CRSError(
                f"{owner} has the {kind} CRS {name!r}, which gives no longitude and latitude; "
                "assign a geographic or projected CRS, for instance EPSG:32633"
            )
        if not EARTH_RADII_METRES[0] <= ellipsoid.semi_major_metre <= EARTH_RADII_METRES[1]:
            raise CRSError(f"{owner} has the CRS {name!r} of another body ({ellipsoid.name}); geocmer knows the Earth")
        if horizontal.is_geographic and any(axis.unit_name == "radian" for axis in horizontal.axis_info):
            raise CRSError(f"{owner} has the CRS {name!r} in radians, which PROJ takes for degrees; give it in degrees")
        to_wgs84(crs)
    except ProjError as error:
        raise CRSError(
            f"{owner} has a CRS that PROJ cannot use ({str(error).splitlines()[0]}); assign another"
        ) from error
    return crs


def _method(crs: CRS) -> str:
    operation = (crs.sub_crs_list[0] if crs.is_compound else crs).coordinate_operation
    return operation.method_name if operation is not None else ""


def _no_transform(path: SceneAddress, dataset: Any, gcps: int) -> str:
    if gcps:
        return (
            f"scene {path} has no geotransform, only {gcps} ground control points (GCPs); "
            f"use them with --gcps, or warp it: gdalwarp -tps {path.name} warped.tif"
        )
    if dataset.tags(ns="RPC"):  # rasterio would parse them, and not all can be
        return (
            f"scene {path} has no geotransform, only rational polynomial coefficients (RPCs); "
            f"rectify it: gdalwarp -rpc -t_srs EPSG:CODE {path.name} rectified.tif"
        )
    if dataset.crs is None:
        return (
            f"scene {path} has no CRS and no geotransform, so its place is unknown; "
            f"georeference it, for instance: gdal_edit.py -a_srs EPSG:CODE -a_ullr WEST NORTH EAST SOUTH {path.name}"
        )
    return (
        f"scene {path} has a CRS but no geotransform, so its place is unknown; "
        f"assign one with: gdal_edit.py -a_ullr WEST NORTH EAST SOUTH {path.name}"
    )


def _gcp_residual(points: Any) -> float:
    """Measure by how many pixels the straight grid that fits ground control points best misses the worst of them."""
    if len(points) < 3:
        return float("inf")
    transform = from_gcps(points)
    if transform.is_degenerate:
        return float("inf")
    back = ~transform
    return float(max(np.hypot(*np.subtract(back @ (p.x, p.y), (p.col, p.row))) for p in points))


def _fit_gcps(path: SceneAddress, points: Any) -> Affine:
    """Fit a straight grid to ground control points."""
    residual = _gcp_residual(points)
    if not np.isfinite(residual):
        raise CRSError(f"scene {path} has {len(points)} ground control points, and three not in a line are needed")
    if residual > MAX_GCP_RESIDUAL_PIXELS:
        raise CRSError(
            f"scene {path} has {len(points)} ground control points that a straight grid misses by up to "
            f"{residual:.0f} pixels; warp it: gdalwarp -tps {path.name} warped.tif"
        )
    transform: Affine = from_gcps(points)
    return transform
