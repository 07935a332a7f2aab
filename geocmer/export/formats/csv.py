"""CSV, the footprint last in a column `WKT`: GDAL and QGIS take a column of this name for the geometry."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..format import Format
from ..options import ExportOptions
from ..record import COLUMNS, data_url, flat_attributes
from ..stream import HitStream

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a text cell that begins so as a formula, whoever wrote it into a category or a file's name."""


def write(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write a row a hit."""
    extra = ["thumbnail"] if options.thumbnails else []
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, [*COLUMNS, *extra, "WKT"], extrasaction="ignore")
        rows.writeheader()
        for batch in stream:
            for hit, shape in zip(*batch, strict=True):
                values = {name: escape_formula(value) for name, value in flat_attributes(hit).items()}
                rows.writerow({**values, "thumbnail": data_url(hit.thumbnail), "WKT": shape.wkt})


def write_polygons(frame: GeoDataFrame, path: Path, _: str) -> None:
    """Write a row a polygon; of its columns `name` may hold any text."""
    import shapely

    wkt = shapely.to_wkt(frame.geometry.to_numpy(), rounding_precision=7)
    table = frame.drop(columns="geometry").assign(name=frame["name"].map(escape_formula), WKT=wkt)
    table.to_csv(path, index=False)


def escape_formula(value: Any) -> Any:
    """Put an apostrophe before what a spreadsheet would take for a formula, which tells it that this is text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


FORMATS = (Format(".csv", "a table, the footprint as WKT", "spreadsheets", write, write_frame=write_polygons),)
