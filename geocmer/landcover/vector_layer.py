"""Polygons of a vector file with a text for each, and those of them under a grid, in the grid's CRS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely import affinity

from ..errors import CRSError, LandCoverError
from ..geometry.vector_file import crs_of, read_frame, simple_parts
from ..imagery.georeference import earth_crs, half_turn
from ..imagery.grid import Grid

_AXIS_NODES = 33
"""Points per axis of a grid that are brought into the layer's CRS to find what lies under it."""
_EDGE_PARTS = 500
"""Parts of an edge as long as the scene: an edge that is straight in the layer's CRS is curved in the scene's. Over a
scene of 1000 km, parts of 2 km leave 8 cm."""
_CHUNK_POLYGONS = 2**16
"""Polygons that are brought into a grid's CRS at a time: the copies on the way there take memory."""


@dataclass(frozen=True)
class VectorLayer:
    """Polygons of a vector file.

    Attributes:
        path: of the file.
        column: that the texts are of.
        crs: of the polygons.
        shapes: polygons (n,).
        texts: the class of each, never blank; whole numbers are written without a decimal point.
        notes: what the user should know: other layers, shapes that are no polygons.
    """

    path: Path
    column: str
    crs: CRS
    shapes: NDArray[np.object_]
    texts: list[str]
    notes: tuple[str, ...] = ()

    @cached_property
    def tree(self) -> shapely.STRtree:
        """The spatial index of the polygons, made once for all scenes."""
        return shapely.STRtree(self.shapes)

    @classmethod
    def read(cls, path: Path, column: str, layer: str | None = None) -> Self:
        """Read the polygons of a vector file that have a class.

        Args:
            path: a file that GDAL's vector drivers read.
            column: holds the class.
            layer: one of the file's layers; by default the first that has the column.

        Raises:
            InputError: it cannot be read, or has no such layer, column or polygon.
            CRSError: it has no CRS, or one that is not of the Earth.
        """
        import pyogrio

        notes: list[str] = []
        name = f"land cover {path}"

        def choose(layers: Mapping[str, str]) -> str | None:
            names = [each for each, kind in layers.items() if kind]
            if layer is not None and layer not in names:
                raise LandCoverError(f"{name} has no layer {layer!r}; its layers are: {', '.join(names)}")
            if layer is not None or len(names) < 2:
                return layer
            having = [each for each in names if column in pyogrio.read_info(path, layer=each)["fields"]]
            chosen = (having or names)[0]
            notes.append(
                f"land cover {path.name} has the layers {', '.join(names)}; {chosen} is read, choose with --layer"
            )
            return chosen

        frame = read_frame(path, name, choose, "give a vector file; without --class-column it is read as a raster")
        if column not in frame.columns:
            columns = ", ".join(each for each in frame.columns if each != "geometry")
            raise LandCoverError(f"{name} has no column {column!r}; its columns are: {columns}")
        if not hasattr(frame, "crs"):
            raise LandCoverError(f"{name} has no polygons, only a table; give a vector file")
        crs = earth_crs(crs_of(frame, path, name), name)
        shapes = _polygons_of_collections(np.asarray(frame.geometry.array, dtype=object))
        _require_degrees(shapes, crs, name)
        areas = np.isin(shapely.get_type_id(shapes), (3, 6)) & ~shapely.is_empty(shapes)
        some = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
        if some.any() and not areas.any():
            kind = shapes[some][0].geom_type
            raise LandCoverError(f"{name} has shapes of type {kind}, no areas; give polygons")
        if some.sum() > areas.sum():
            notes.append(f"land cover {path.name}: {int(some.sum() - areas.sum())} shapes are no polygons, left out")
        texts = [_text(value) for value in frame[column]]
        kept = areas & np.array([bool(text) for text in texts], bool)
        if not kept.any():
            raise LandCoverError(f"{name} has no polygon with a class in column {column!r}")
        return cls(path, column, crs, shapes[kept], [t for t, k in zip(texts, kept, strict=True) if k], tuple(notes))


def clipped_to_grid(layer: VectorLayer, grid: Grid) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Bring the polygons under a grid into its CRS.

    They are first cut to the surroundings of the grid in their own CRS, where their edges are straight: a polygon as
    large as the world has no outline in the CRS of a scene. Then their edges are divided, and projected.

    Returns:
        Polygons (n,) in the grid's CRS, and the row of the layer that each is of, in the layer's order.
    """
    to_layer = Transformer.from_crs(grid.crs, layer.crs, always_xy=True)
    to_grid = Transformer.from_crs(layer.crs, grid.crs, always_xy=True)
    shapes, rows = [], []
    for box, shift in _boxes(to_layer, grid, layer.crs):
        found = np.sort(layer.tree.query(affinity.translate(box, shift)))
        for first in range(0, len(found), _CHUNK_POLYGONS):
            some = found[first : first + _CHUNK_POLYGONS]
            parts = _clipped(layer.shapes[some], box, shift)
            if grid.crs != layer.crs:
                parts = shapely.transform(parts, lambda p: np.column_stack(to_grid.transform(p[:, 0], p[:, 1])))
            usable = np.isfinite(shapely.bounds(parts)).all(axis=1) & (shapely.area(parts) > 0)
            shapes.append(_valid(parts[usable]))
            rows.append(some[usable])
    if not shapes:
        return np.empty(0, object), np.empty(0, np.intp)
    order = np.argsort(np.concatenate(rows), kind="stable")
    return np.concatenate(shapes)[order], np.concatenate(rows)[order]


def _clipped(shapes: NDArray[np.object_], box: Any, shift: float) -> NDArray[np.object_]:
    """Shift shapes (n,) back by `shift` along x, cut them to a box and divide their edges; most need none of it."""
    parts = _valid(shapes)
    if shift:
        parts = _shifted(parts, -shift)
    bounds, (west, south, east, north) = shapely.bounds(parts), box.bounds
    longest = max(east - west, north - south) / _EDGE_PARTS
    beyond = (bounds[:, :2] < (west, south)).any(axis=1) | (bounds[:, 2:] > (east, north)).any(axis=1)
    parts[beyond] = shapely.intersection(parts[beyond], box)
    large = np.hypot(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]) > longest
    parts[large] = shapely.segmentize(parts[large], longest)
    return parts


def _valid(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Mend the shapes (n,) that are not valid, in a copy."""
    repaired = shapes.copy()
    wrong = ~shapely.is_valid(repaired)
    repaired[wrong] = shapely.make_valid(repaired[wrong])
    return repaired


def _boxes(to_layer: Transformer, grid: Grid, crs: CRS) -> list[tuple[Any, float]]:
    """Give boxes around a grid in a layer's CRS, and by how much the layer is shifted to meet each.

    In degrees a grid may cross 180, and the layer count from 0 to 360: the layer is shifted by whole turns.
    """
    columns, rows = np.meshgrid(np.linspace(0, grid.width, _AXIS_NODES), np.linspace(0, grid.height, _AXIS_NODES))
    a, b, c, d, e, f = grid.transform[:6]
    x, y = to_layer.transform(a * columns + b * rows + c, d * columns + e * rows + f)
    turn = 2 * np.pi / crs.axis_info[0].unit_conversion_factor if crs.is_geographic and crs.axis_info else 0.0
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return []
    if turn:
        x = x - turn * np.round((x - np.median(x[finite])) / turn)
    west, east, south, north = x[finite].min(), x[finite].max(), y[finite].min(), y[finite].max()
    margin_x, margin_y = (east - west) / 8, (north - south) / 8
    if turn and (east - west > turn / 3 or max(-south, north) + margin_y > turn / 4):  # around or near a pole
        west, east, margin_x = -turn / 2, turn / 2, 0.0
        south, north = (-turn / 4 if south < 0 else south - margin_y), (turn / 4 if north > 0 else north + margin_y)
        margin_y = 0.0
    box = shapely.box(west - margin_x, south - margin_y, east + margin_x, north + margin_y)
    return [(box, k * turn) for k in (-1, 0, 1)] if turn else [(box, 0.0)]


def _shifted(shapes: NDArray[np.object_], by: float) -> NDArray[np.object_]:
    """Shift shapes (n,) along x."""
    shifted: NDArray[np.object_] = shapely.transform(shapes, lambda points: points + np.array([by, 0.0]))
    return shifted


def _polygons_of_collections(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Replace the collections among shapes (n,), some of them None, by the polygons that they hold."""
    found = shapes.copy()
    for index in np.flatnonzero(shapely.get_type_id(shapes) == 7):
        parts = simple_parts([shapes[index]])
        areas = parts[shapely.get_type_id(parts) == 3]
        if len(areas):
            found[index] = shapely.multipolygons(areas)
    return found


def _require_degrees(shapes: NDArray[np.object_], crs: CRS, name: str) -> None:
    """Refuse metres under a CRS of degrees, as a GeoJSON file has them that names no other."""
    if not crs.is_geographic or not crs.axis_info or not len(shapes):
        return
    west, south, east, north = shapely.total_bounds(shapes)
    turn = half_turn(crs)
    if max(-west, east) > 3 * turn or max(-south, north) > turn:
        raise CRSError(
            f"{name} spans x {west:g} to {east:g}, y {south:g} to {north:g}, which are no degrees, as its CRS "
            f"{crs.name!r} has them; assign the right one, for instance with ogr2ogr -a_srs EPSG:CODE"
        )


def _text(value: Any) -> str:
    """Give a class as text: "" for what is missing, whole numbers without a decimal point."""
    if value is None or value != value:  # NaN is no class
        return ""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
