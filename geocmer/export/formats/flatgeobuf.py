"""FlatGeobuf, with its spatial index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..format import Format
from ..gdal import polygon_reader, write_frame, write_layer
from ..options import ExportOptions
from ..stream import HitStream

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def write(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write one layer of footprints."""
    write_layer("FlatGeobuf", polygon_reader(stream, options), path, options.path.stem, "MultiPolygon")


def write_polygons(frame: GeoDataFrame, path: Path, _: str) -> None:
    """Write one layer of polygons."""
    write_frame(frame, path, "FlatGeobuf", "MultiPolygon")


FORMATS = (
    Format(
        ".fgb", "FlatGeobuf with its spatial index", "big answers in QGIS and on the web", write,
        write_frame=write_polygons,
    ),
)  # fmt: skip
