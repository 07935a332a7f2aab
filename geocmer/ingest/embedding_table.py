"""Parquet tables of embeddings that others made: which columns hold vectors, footprints and times, and their rows."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely import MultiPolygon, Polygon

from ..errors import CRSError, InputError
from ..geometry.bbox import WGS84
from ..geometry.footprint import cut_at_antimeridian, to_wgs84
from ..geometry.geodesy import GEOD
from ..geometry.reproject import polygon_to_wgs84
from ..imagery.acquisition import time_of
from ..imagery.georeference import earth_crs

VECTOR_COLUMNS = ("embedding", "embeddings", "vector", "vectors", "emb", "features", "feature")
"""Lists of numbers; the first of these counts, else the only list of numbers that there is."""
TIME_COLUMNS = ("datetime", "timestamp", "acquired", "start_datetime", "date", "time")
LON_COLUMNS, LAT_COLUMNS = ("lon", "longitude", "centre_lon", "x"), ("lat", "latitude", "centre_lat", "y")
MIN_SCALAR_COLUMNS = 16
"""Numbered columns that are a vector: `A00` to `A63`, `emb_0` to `emb_127`."""


@dataclass(frozen=True, slots=True)
class EmbeddingRows:
    """Some rows that can be used.

    Attributes:
        numbers: of the rows in the table, from 0, (n,).
        vectors: (n, dim) of unit length.
        shapes: footprints in WGS84, cut at the antimeridian, (n,).
        times: of acquisition, UTC, or None, (n,).
        thumbnails: encoded pictures, or None, (n,).
        bad: number of each row that cannot be used -> why.
    """

    numbers: NDArray[np.int64]
    vectors: NDArray[np.float32]
    shapes: list[Polygon | MultiPolygon]
    times: list[dt.datetime | None]
    thumbnails: list[bytes | None]
    bad: dict[int, str] = field(default_factory=dict)


class EmbeddingTable:
    """The columns of an open table, and its rows batch by batch.

    Args:
        name: for messages.
        file: a `pyarrow.parquet.ParquetFile`.
        vector_column: that holds the vectors; found by its name or type if None.
        width: metres; makes squares of points.

    Attributes:
        dim: length of a vector; 0 where only the first row tells.

    Raises:
        InputError: it has no vectors, or no place.
        CRSError: its CRS is none of the Earth.
    """

    def __init__(self, name: str, file: Any, vector_column: str | None = None, width: float | None = None) -> None:
        self._name, self._file, self._width = name, file, width
        schema = file.schema_arrow
        self._vectors = _vector_columns(name, schema, vector_column)
        self._geometry, self._crs = _geometry_column(name, schema)
        self._points: tuple[str, str] | None = None
        if self._geometry is None:
            lower = {column.lower(): column for column in schema.names}
            found = [next((lower[c] for c in names if c in lower), None) for names in (LON_COLUMNS, LAT_COLUMNS)]
            if found[0] is None or found[1] is None:
                raise InputError(f"{name} has neither geometries nor columns lon and lat; write it as GeoParquet")
            self._points = found[0], found[1]
        self._time = next((c for name in TIME_COLUMNS for c in schema.names if c.lower() == name), None)
        self._thumbnail = "thumbnail" if "thumbnail" in schema.names else None

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    @property
    def dim(self) -> int:
        """Length of the vectors, by the type of their column or the first row that has one.

        Raises:
            InputError: no row has a vector.
        """
        if len(self._vectors) > 1:
            return len(self._vectors)
        kind = self._file.schema_arrow.field(self._vectors[0]).type
        if hasattr(kind, "list_size"):
            return int(kind.list_size)
        for batch in self._file.iter_batches(1024, columns=self._vectors):
            for value in batch.column(0):
                if value.is_valid and len(value):
                    return len(value)
        raise InputError(f"{self._name} has no vector in its column {self._vectors[0]}")

    def batches(self, rows: int, dim: int) -> Iterator[EmbeddingRows]:
        """Read the table, `rows` at a time, as unit vectors of `dim` numbers with their footprints."""
        others = [self._geometry, self._time, self._thumbnail, *(self._points or ())]
        columns = [*self._vectors, *(name for name in others if name is not None)]
        start = 0
        for batch in self._file.iter_batches(rows, columns=columns):
            bad: dict[int, str] = {}
            vectors = self._unit_vectors(batch, dim, bad)
            shapes = self._footprints(batch, bad)
            kept = [i for i in range(batch.num_rows) if i not in bad]
            times = batch.column(self._time).to_pylist() if self._time else [None] * batch.num_rows
            images = batch.column(self._thumbnail).to_pylist() if self._thumbnail else [None] * batch.num_rows
            yield EmbeddingRows(
                np.array(kept, np.int64) + start,
                vectors[kept],
                [shapes[i] for i in kept],
                [time_of(times[i]) for i in kept],
                [images[i] if isinstance(images[i], bytes) else None for i in kept],
                {start + i: why for i, why in bad.items()},
            )
            start += batch.num_rows

    def _unit_vectors(self, batch: Any, dim: int, bad: dict[int, str]) -> NDArray[np.float32]:
        if len(self._vectors) > 1:
            columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in self._vectors]
            vectors = np.stack(columns, axis=1).astype(np.float64)
        else:
            column = batch.column(self._vectors[0])
            vectors = np.zeros((batch.num_rows, dim))
            lengths = np.array([len(v) if v.is_valid else -1 for v in column])
            for i in np.flatnonzero(lengths != dim):
                bad[int(i)] = (
                    "it has no vector" if lengths[i] < 0 else f"its vector has {lengths[i]} numbers, not {dim}"
                )
            whole = np.flatnonzero(lengths == dim)
            if len(whole):
                flat = column.take(whole).flatten().to_numpy(zero_copy_only=False)
                vectors[whole] = flat.reshape(-1, dim)
        norms = np.linalg.norm(vectors, axis=1)
        for i in np.flatnonzero(~(np.isfinite(norms) & (norms > 0))):
            bad.setdefault(int(i), "its vector is zero" if norms[i] == 0 else "its vector is not finite")
        with np.errstate(invalid="ignore", divide="ignore"):
            return (vectors / norms[:, None]).astype(np.float32)

    def _footprints(self, batch: Any, bad: dict[int, str]) -> list[Any]:
        if self._points is not None:
            lon, lat = (batch.column(c).to_numpy(zero_copy_only=False).astype(np.float64) for c in self._points)
            found = shapely.points(lon, lat)
        else:
            found = shapely.from_wkb(batch.column(self._geometry).to_pylist(), on_invalid="ignore")
        shapes: list[Any] = []
        for i, geometry in enumerate(found):
            shape = None
            try:
                shape = self._footprint(geometry)
            except (InputError, shapely.errors.GEOSException) as error:
                bad.setdefault(i, str(error))
            shapes.append(shape)
        return shapes

    def _footprint(self, geometry: Any) -> Polygon | MultiPolygon:
        if geometry is None or geometry.is_empty:
            raise InputError("it has no geometry")
        if geometry.geom_type == "Point":
            return self._square(geometry.x, geometry.y)
        if geometry.geom_type not in ("Polygon", "MultiPolygon"):
            raise InputError(f"its geometry is a {geometry.geom_type}")
        if not geometry.is_valid or not np.isfinite(geometry.bounds).all():
            raise InputError("its polygon is not valid")
        if geometry.geom_type == "MultiPolygon" and len(geometry.geoms) == 1:
            geometry = geometry.geoms[0]
        west, south, east, north = geometry.bounds
        if self._crs.equals(WGS84, ignore_axis_order=True):
            if south < -90 or north > 90 or west < -360 or east > 360:
                raise InputError("its polygon is not in degrees")
            if geometry.geom_type == "MultiPolygon":
                return geometry
        elif geometry.geom_type == "MultiPolygon":
            raise InputError("its geometry has several parts")
        return polygon_to_wgs84(geometry, self._crs)

    def _square(self, x: float, y: float) -> Polygon | MultiPolygon:
        """Make a square on the ground around a point."""
        if self._width is None:
            raise InputError("it is a point; say how wide a tile is with --width METRES")
        lon, lat = to_wgs84(self._crs).transform(x, y)
        if not (abs(lat) < 90 and np.isfinite(lon)):
            raise InputError("its point is not on the Earth")
        turns = [45.0, 135.0, 225.0, 315.0]
        half = self._width / 2**0.5
        lons, lats, _ = GEOD.fwd([lon] * 4, [lat] * 4, turns, [half] * 4)
        unwrapped = [lon + (value - lon + 180) % 360 - 180 for value in lons]
        return cut_at_antimeridian(Polygon(list(zip(unwrapped, lats, strict=True))))


def _vector_columns(name: str, schema: Any, chosen: str | None) -> list[str]:
    """Find the column of vectors, or the numbered columns that are one together."""
    import pyarrow as pa

    def is_vector(column: Any) -> bool:
        kind = column.type
        return (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)) and (
            pa.types.is_floating(kind.value_type)
        )

    lists = [column.name for column in schema if is_vector(column)]
    if chosen is not None:
        if chosen not in schema.names:
            raise InputError(f"{name} has no column {chosen}; its lists of numbers: {', '.join(lists) or 'none'}")
        if chosen not in lists:
            raise InputError(f"column {chosen} of {name} is {schema.field(chosen).type}, no list of floating numbers")
        return [chosen]
    found = next((column for known in VECTOR_COLUMNS for column in lists if column.lower() == known), None)
    if found or len(lists) == 1:
        return [found or lists[0]]
    if lists:
        raise InputError(f"{name} has several lists of numbers; choose one with --vector-column: {', '.join(lists)}")
    numbered: dict[str, dict[int, str]] = {}
    for column in schema:
        match = re.fullmatch(r"(.*?)(\d+)", column.name)
        if match and pa.types.is_floating(column.type):
            numbered.setdefault(match[1], {})[int(match[2])] = column.name
    best = max(numbered.values(), key=len, default={})
    numbers = sorted(best)
    if len(best) >= MIN_SCALAR_COLUMNS and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return [best[number] for number in numbers]
    raise InputError(f"{name} has no column of vectors: a list of floating numbers, such as `embedding`")


def _geometry_column(name: str, schema: Any) -> tuple[str | None, CRS]:
    """Find the primary geometry column and its CRS, as GeoParquet declares them; without a word it is in degrees."""
    try:
        geo = json.loads((schema.metadata or {}).get(b"geo") or b"{}")
        primary = geo.get("primary_column") or ("geometry" if "geometry" in schema.names else None)
        facts = dict(geo.get("columns", {}).get(primary, {}))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{name} declares its geometries in a form that is no GeoParquet; write it anew") from error
    if primary is None:
        return None, CRS.from_user_input(WGS84)
    if primary not in schema.names:
        raise InputError(f"{name} declares geometries in its column {primary!r}, which is not there; write it anew")
    if facts.get("encoding", "WKB") != "WKB":
        raise InputError(f"{name} has geometries as {facts['encoding']}; write them as WKB, which all tools read")
    if "crs" in facts and facts["crs"] is None:
        raise CRSError(f"{name} declares that the CRS of {primary} is unknown; set it, for instance with geopandas")
    return primary, earth_crs(facts.get("crs", "OGC:CRS84"), name)
