"""Hits as text: GeoJSON, its sequences, CSV. Each is written as the hits arrive."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from .options import Options
from .record import COLUMNS, data_address, features, flat
from .stream import Stream


def geojson(stream: Stream, path: Path, options: Options) -> None:
    """A feature collection (RFC 7946), its box at the end, where it is known."""
    separator = "\n"
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for batch in stream:
            for hit, shape in zip(*batch, strict=True):
                for record in features(hit, shape, thumbnail=options.thumbnails):
                    file.write(separator + json.dumps(record, ensure_ascii=False))
                    separator = ",\n"
        bbox = f', "bbox": {json.dumps(stream.bbox())}' if stream.count else ""
        file.write(f"\n]{bbox}}}\n")


def lines(stream: Stream, path: Path, options: Options) -> None:
    """A feature a line."""
    _sequence(stream, path, options, "")


def sequence(stream: Stream, path: Path, options: Options) -> None:
    """A GeoJSON text sequence (RFC 8142): a feature a line, each behind a record separator."""
    _sequence(stream, path, options, "\x1e")


def _sequence(stream: Stream, path: Path, options: Options, start: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        for batch in stream:
            for hit, shape in zip(*batch, strict=True):
                for record in features(hit, shape, thumbnail=options.thumbnails):
                    file.write(f"{start}{json.dumps(record, ensure_ascii=False)}\n")


def spreadsheet(stream: Stream, path: Path, options: Options) -> None:
    """CSV, the footprint last in a column `WKT`: GDAL and QGIS take a column of this name for the geometry."""
    extra = ["thumbnail"] if options.thumbnails else []
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, [*COLUMNS, *extra, "WKT"], extrasaction="ignore")
        rows.writeheader()
        for batch in stream:
            for hit, shape in zip(*batch, strict=True):
                rows.writerow({**flat(hit), "thumbnail": data_address(hit.thumbnail), "WKT": shape.wkt})
