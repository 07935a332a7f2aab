"""GeoPackage: a layer of footprints, those of spots and of lines to partners if there are any, and their styles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from ..format import Format
from ..gdal import collect_parts, polygon_reader, write_frame, write_layer
from ..options import ExportOptions
from ..qgis_style import QML_OF_LINES, QML_OF_SPOTS, embed_styles, qml
from ..record import partner_lines, spot_feature
from ..stream import Batch, HitStream

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

RESERVED_NAME = re.compile(r"(gpkg|rtree|sqlite)_|layer_styles$|[^\w ]", re.IGNORECASE)
"""Tables that the format, SQLite or QGIS keep for themselves, and names that GDAL refuses for their first character."""


def write(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write the layers; those are named after the file."""
    import pyarrow as pa

    lines: list[tuple[Any, dict[str, Any]]] = []
    spots: list[tuple[Any, dict[str, Any]]] = []

    def collecting() -> Iterator[Batch]:
        for batch in stream:
            spots.extend(spot for hit in batch.hits if (spot := spot_feature(hit)))
            lines.extend(line for hit in batch.hits for line in partner_lines(hit))
            yield batch

    name = layer_name(options.path.stem)
    write_layer("GPKG", polygon_reader(collecting(), options), path, name, "MultiPolygon")
    styles = {name: qml(stream)}
    for beside, records, kind, collect, style in (
        ("spots", spots, "MultiPolygon", shapely.multipolygons, QML_OF_SPOTS),
        ("partners", lines, "MultiLineString", shapely.multilinestrings, QML_OF_LINES),
    ):
        if records:
            table = pa.Table.from_pylist([values for _, values in records])
            shapes = collect_parts(np.array([shape for shape, _ in records], dtype=object), collect)
            reader = table.append_column("geometry", pa.array(shapely.to_wkb(shapes))).to_reader()
            write_layer("GPKG", reader, path, f"{name} {beside}", kind, append=True)
            styles[f"{name} {beside}"] = style
    embed_styles(path, styles)


def write_polygons(frame: GeoDataFrame, path: Path, stem: str) -> None:
    """Write one layer of polygons."""
    write_frame(frame, path, "GPKG", "MultiPolygon", layer=layer_name(stem))


def layer_name(stem: str) -> str:
    """Name a layer after its file; a name that is refused gets a word before it."""
    return f"hits {stem}" if RESERVED_NAME.match(stem) else stem


FORMATS = (
    Format(".gpkg", "GeoPackage; opens in QGIS shaded by score", "QGIS, ArcGIS", write, write_frame=write_polygons),
)
