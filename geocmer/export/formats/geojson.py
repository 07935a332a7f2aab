"""GeoJSON and its sequences, written as the hits arrive."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..format import Format
from ..gdal import write_frame
from ..options import ExportOptions
from ..record import hit_features
from ..stream import HitStream

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def write_collection(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write a feature collection (RFC 7946), its box at the end, where it is known."""
    separator = "\n"
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for batch in stream:
            for hit, shape in zip(*batch, strict=True):
                for record in hit_features(hit, shape, thumbnail=options.thumbnails):
                    file.write(separator + json.dumps(record, ensure_ascii=False))
                    separator = ",\n"
        bbox = f', "bbox": {json.dumps(stream.bbox())}' if stream.count else ""
        file.write(f"\n]{bbox}}}\n")


def write_sequence(stream: HitStream, path: Path, options: ExportOptions, start: str = "") -> None:
    """Write a feature a line, each behind `start`."""
    with path.open("w", encoding="utf-8") as file:
        for batch in stream:
            for hit, shape in zip(*batch, strict=True):
                for record in hit_features(hit, shape, thumbnail=options.thumbnails):
                    file.write(f"{start}{json.dumps(record, ensure_ascii=False)}\n")


def write_polygons(frame: GeoDataFrame, path: Path, _: str, driver: str = "GeoJSON") -> None:
    """Write a feature a polygon."""
    write_frame(frame, path, driver, "Unknown")


_LINES = partial(write_polygons, driver="GeoJSONSeq")
FORMATS = (
    Format(".geojson", "GeoJSON (RFC 7946)", "the web", write_collection, write_frame=write_polygons),
    Format(".json", "GeoJSON (RFC 7946)", "the web", write_collection, write_frame=write_polygons),
    Format(".geojsonl", "GeoJSON, a feature a line", "pipes, big answers", write_sequence, write_frame=_LINES),
    Format(
        ".geojsons", "a GeoJSON text sequence (RFC 8142)", "pipes, big answers", partial(write_sequence, start="\x1e")
    ),
)
