"""Hits -> a file that opens in QGIS, geopandas, DuckDB or a spreadsheet; the format is told by the suffix.

Longitude and latitude (WGS84) in every format. GeoJSON follows RFC 7946: longitude first, exterior rings
counter-clockwise, polygons cut at the antimeridian, 7 decimals (a centimetre), no `crs` member. `.geojsonl` (a feature
a line), `.geojsons` (the same as RFC 8142, each behind a record separator), `.geojson` and `.csv` are written as the
hits arrive, at flat memory; `.gpkg`, `.fgb` and `.parquet` are put together in memory, about a kilobyte a hit.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from .errors import InputError
from .schema import extents
from .search import Hit

if TYPE_CHECKING:
    import geopandas as gpd

DECIMALS = 7
"""Of a degree: RFC 7946 section 11.2 takes 6 (10 cm) for enough, one more keeps neighbours at 10 cm pixels apart."""
COLUMNS = (
    "rank",
    "score",
    "id",
    "category",
    "fractions",
    "datetime",
    "gsd",
    "valid_share",
    "scene",
    "row",
    "col",
    "size",
    "partners",
)
"""Attributes of a hit, in every format and in this order."""


def write(hits: Iterable[Hit], path: str | Path) -> int:
    """Write hits to a file, whole or not at all: a failure leaves an existing file as it was.

    Args:
        hits: any number, none included.
        path: its suffix tells the format: see `FORMATS`.

    Returns:
        How many were written.

    Raises:
        InputError: the suffix is not known, or the file cannot be written there.
    """
    path = Path(path)
    writer = FORMATS.get(path.suffix.lower())
    if writer is None:
        raise InputError(
            f"{path}: cannot tell the format from the suffix {path.suffix!r}; use one of {', '.join(FORMATS)}"
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; make it, or write elsewhere")
    try:
        # A folder and not only a temporary name: some drivers lay files of their own beside the one asked for.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".geocmer-") as folder:
            draft = Path(folder) / path.name
            count = writer(hits, draft)
            draft.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free some space, or write elsewhere"
        ) from error
    return count


def feature(hit: Hit) -> dict[str, Any]:
    """A hit as a GeoJSON feature (RFC 7946)."""
    return {
        "type": "Feature",
        "id": hit.id,
        "geometry": shapely.geometry.mapping(_rounded(hit)),
        "properties": attributes(hit),
    }


def attributes(hit: Hit) -> dict[str, Any]:
    """A hit's `COLUMNS`, as JSON can hold them: class fractions and partners nested, the time as ISO 8601."""
    return {
        "rank": hit.rank,
        "score": None if hit.score is None else round(hit.score, 6),
        "id": hit.id,
        "category": hit.category,
        "fractions": hit.fractions,
        "datetime": None if hit.datetime is None else hit.datetime.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "gsd": _single(hit.gsd),
        "valid_share": _single(hit.valid_share),
        "scene": hit.uri,
        "row": hit.row,
        "col": hit.col,
        "size": hit.size,
        "partners": [partner.attributes() for partner in hit.partners],
    }


def _geojson(hits: Iterable[Hit], path: Path) -> int:
    around = _Around()
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        count = 0
        for count, hit in enumerate(hits, 1):
            file.write(",\n" if count > 1 else "\n")
            json.dump(feature(hit), file, ensure_ascii=False)
            around.add(hit)
        bbox = f', "bbox": {json.dumps(around.bbox())}' if count else ""
        file.write(f"\n]{bbox}}}\n")
    return count


def _sequence(hits: Iterable[Hit], path: Path, start: str = "") -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for hit in hits:
            file.write(f"{start}{json.dumps(feature(hit), ensure_ascii=False)}\n")
            count += 1
    return count


def _csv(hits: Iterable[Hit], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, [*COLUMNS, "WKT"])  # GDAL and QGIS take a column of this name for the geometry
        rows.writeheader()
        for hit in hits:
            rows.writerow({**_flat(hit), "WKT": _rounded(hit).wkt})
            count += 1
    return count


def _ogr(driver: str) -> Callable[[Iterable[Hit], Path], int]:
    def write_layer(hits: Iterable[Hit], path: Path) -> int:
        frame = _frame(hits)
        # A layer holds one type of geometry, and footprints that were cut at the antimeridian are multipolygons.
        frame.to_file(path, driver=driver, engine="pyogrio", geometry_type="MultiPolygon", promote_to_multi=True)
        return len(frame)

    return write_layer


def _parquet(hits: Iterable[Hit], path: Path) -> int:
    frame = _frame(hits)
    frame.to_parquet(path, index=False, schema_version="1.1.0", write_covering_bbox=True, compression="zstd")
    return len(frame)


FORMATS: dict[str, Callable[[Iterable[Hit], Path], int]] = {
    ".geojson": _geojson,
    ".geojsonl": _sequence,
    ".geojsons": lambda hits, path: _sequence(hits, path, "\x1e"),
    ".gpkg": _ogr("GPKG"),
    ".fgb": _ogr("FlatGeobuf"),
    ".parquet": _parquet,
    ".csv": _csv,
}
"""Suffix -> writer. A new format is a function and a line here."""


def _frame(hits: Iterable[Hit]) -> gpd.GeoDataFrame:
    """Hits as a table with the types stated, so that no hits, or none with a category, still make the same columns."""
    import geopandas as gpd
    import pandas as pd

    hits = list(hits)
    records = [_flat(hit) for hit in hits]
    types: dict[str, Any] = dict.fromkeys(("rank", "row", "col", "size"), "int64")
    types |= dict.fromkeys(("score", "gsd", "valid_share"), "float64")
    columns = {
        name: pd.Series([record[name] for record in records], dtype=types.get(name, object))
        for name in COLUMNS
        if name != "datetime"
    }
    columns["datetime"] = pd.to_datetime(pd.Series([hit.datetime for hit in hits], dtype=object), utc=True).astype(
        "datetime64[us, UTC]"
    )
    geometry = np.array([_rounded(hit) for hit in hits], dtype=object)
    return gpd.GeoDataFrame({name: columns[name] for name in COLUMNS}, geometry=geometry, crs="EPSG:4326")


def _flat(hit: Hit) -> dict[str, Any]:
    """`attributes` for formats without nesting: class fractions and partners as JSON text."""
    values = attributes(hit)
    return {**values, **{name: json.dumps(values[name], ensure_ascii=False) for name in ("fractions", "partners")}}


def _rounded(hit: Hit) -> Polygon | MultiPolygon:
    """The footprint with coordinates as RFC 7946 asks: rounded, exterior rings counter-clockwise."""
    rounded = shapely.transform(hit.geometry, lambda xy: np.round(xy, DECIMALS))
    oriented: Polygon | MultiPolygon = shapely.orient_polygons(rounded, exterior_cw=False)
    return oriented


def _single(value: float) -> float:
    """A float32 from the store without the digits that it never had."""
    return float(f"{value:.7g}")


_EASTWARD = np.array([1, 0, 1, 0])


class _Around:
    """The box around footprints, narrower than the world if they lie on both sides of the antimeridian."""

    def __init__(self) -> None:
        self._plain = np.array([np.inf, np.inf, -np.inf, -np.inf])
        self._turned = self._plain.copy()

    def add(self, hit: Hit) -> None:
        box = extents(np.array([hit.geometry], dtype=object))[0]
        self._plain = _union(self._plain, box)
        self._turned = _union(self._turned, box + (360 * (box[0] < 0) * _EASTWARD))

    def bbox(self) -> list[float]:
        """[west, south, east, north]; west > east where the box crosses the antimeridian (RFC 7946 section 5.2)."""
        turned = self._turned[2] - self._turned[0] < self._plain[2] - self._plain[0]
        west, south, east, north = self._turned if turned else self._plain
        return [round(float(v), DECIMALS) for v in (_wrapped(west), south, _wrapped(east), north)]


def _union(a: Any, b: Any) -> Any:
    return np.concatenate([np.minimum(a[:2], b[:2]), np.maximum(a[2:], b[2:])])


def _wrapped(longitude: float) -> float:
    return longitude - 360 if longitude > 180 else longitude
