"""FlatGeobuf, with its spatial index."""

from __future__ import annotations

from pathlib import Path

from ..format import Format
from ..gdal import polygon_reader, write_layer
from ..options import ExportOptions
from ..stream import HitStream


def write(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write one layer of footprints."""
    write_layer("FlatGeobuf", polygon_reader(stream, options), path, options.path.stem, "MultiPolygon")


FORMATS = (Format(".fgb", "FlatGeobuf with its spatial index", "big answers in QGIS and on the web", write),)
