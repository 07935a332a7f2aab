"""Shapefile, for programs that read nothing newer: footprints, with what its table can hold of the attributes.

The format (ESRI Shapefile Technical Description, 1998) has names of 10 characters, texts of 254 bytes, dates without a
time, one type of geometry and files of 2 GB.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

from ...errors import InputError
from ...imagery.times import utc_text
from ..format import Format
from ..gdal import polygon_reader, write_layer
from ..options import ExportOptions
from ..stream import HitStream

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN_NAMES = {"probability": "probab", "valid_share": "validshare"}
"""Names of more than 10 characters -> what they are called in a shapefile."""
MAX_TEXT_BYTES = 254
"""Of a text in its table, UTF-8."""
MAX_FILE_BYTES = 2**31 - 1
"""GDAL writes up to 4 GB, and many programs misread what lies beyond half of it."""
REST = "…"
"""Stands for what a text has no room for: the other class shares, summed, or the other partners."""
_PARTS = (".shx", ".dbf", ".prj", ".cpg")
_INDICES = (".qix", ".sbn", ".sbx", ".ain", ".aih", ".atx", ".ixs", ".mxs", ".fbn", ".fbx", ".idm", ".ind", ".shp.xml")
"""Indices and metadata that programs lay beside a shapefile; they are wrong once it is replaced."""


def write(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write the files of a shapefile side by side.

    Raises:
        InputError: there are pictures, a text that is too long, or too many hits.
    """
    import pyarrow as pa

    if options.thumbnails:
        raise InputError(f"{options.path}: a shapefile holds no pictures; leave --thumbnails out, or write .gpkg")
    reader = polygon_reader(stream, options)
    schema = pa.schema([_field(column) for column in reader.schema])

    def fitted() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            _check_size(path, options.path)
            columns = [_fitted(column, batch[column.name], options.path) for column in batch.schema]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    batches = pa.RecordBatchReader.from_batches(schema, fitted())
    write_layer("ESRI Shapefile", batches, path, path.stem, "MultiPolygon", ENCODING="UTF-8")
    _check_size(path, options.path)


def write_zipped(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write the files of a shapefile into one archive that is named as they are."""
    parts = path.with_name("parts")
    parts.mkdir()
    write(stream, parts / "draft.shp", options)
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for part in sorted(parts.iterdir()):
            archive.write(part, options.path.name[: -len(ZIPPED)] + part.suffix)
            part.unlink()
    parts.rmdir()


def _field(column: pa.Field) -> pa.Field:
    import pyarrow as pa

    kind = pa.string() if pa.types.is_timestamp(column.type) else column.type
    return pa.field(COLUMN_NAMES.get(column.name, column.name), kind)


def _fitted(column: pa.Field, values: pa.Array, path: Path) -> pa.Array:
    """Make of a column what the table can hold.

    Raises:
        InputError: a text is too long.
    """
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        moments = values.to_pylist()
        return pa.array([None if m is None else utc_text(m) for m in moments], pa.string())
    if not pa.types.is_string(column.type):
        return values
    texts = values.to_pylist()
    for n, text in enumerate(texts):
        if text is not None and len(text.encode()) > MAX_TEXT_BYTES:
            if column.name not in ("fractions", "partners"):
                raise InputError(
                    f"{path}: a {column.name} takes {len(text.encode())} bytes and a shapefile holds {MAX_TEXT_BYTES}: "
                    f"{text[:60]}...; write .gpkg"
                )
            texts[n] = _shorten(json.loads(text))
    return pa.array(texts, pa.string())


def _shorten(items: dict[str, float] | list[Any]) -> str:
    """Write class shares, the largest first, or partners, as JSON of `MAX_TEXT_BYTES` that says what it leaves out."""
    shares = isinstance(items, dict)
    ranked = sorted(items.items(), key=lambda item: -item[1]) if isinstance(items, dict) else items
    for kept in range(len(ranked) - 1, -1, -1):
        if shares:
            rest = round(sum(share for _, share in ranked[kept:]), 6)
            text = json.dumps({**dict(ranked[:kept]), REST: rest}, ensure_ascii=False)
        else:
            text = json.dumps([*ranked[:kept], REST], ensure_ascii=False)
        if len(text.encode()) <= MAX_TEXT_BYTES:
            break
    return text


def _check_size(draft: Path, path: Path) -> None:
    """Stop before a file is larger than the format allows.

    Raises:
        InputError: one is.
    """
    for part in draft.parent.glob(f"{draft.stem}.*"):
        if part.stat().st_size > MAX_FILE_BYTES:
            raise InputError(
                f"{path}: the hits make a {part.suffix} file of more than {MAX_FILE_BYTES / 1e9:.1f} GB, the most "
                "that a shapefile can have; write .gpkg, or fewer hits with -k"
            )


ZIPPED = ".shp.zip"
_LIMITS = "short texts, at most 2 GB a file"
FORMATS = (
    Format(".shp", f"Shapefile, as a set of files: {_LIMITS}", "older GIS", write, beside=_PARTS, outdated=_INDICES),
    Format(ZIPPED, f"Shapefile in one archive: {_LIMITS}", "older GIS, map services", write_zipped, styled=False),
)
