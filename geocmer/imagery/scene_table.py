"""GeoParquet tables of scenes: STAC items as stac-geoparquet writes them, or a column of names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import InputError
from .acquisition import time_of
from .address import SceneAddress
from .remote_file import object_file, read_document
from .scene_source import ItemRecord, SceneSource, cloud_percent
from .stac import scene_of_item

PATH_COLUMNS = ("path", "location", "href", "uri", "url", "file", "filename", "file_name", "filepath")
"""Columns of names, the first of them counts; `location` is what gdaltindex writes."""
TIME_COLUMNS = ("datetime", "acquired", "acquisition_time", "start_datetime", "date")
CLOUD_COLUMNS = ("eo:cloud_cover", "cloud_cover")
_BATCH_ROWS = 4096
_NOT_PROPERTIES = {"id", "type", "assets", "links", "geometry", "bbox", "collection", "stac_version", "stac_extensions"}


def scenes_of_table(address: SceneAddress, asset: str | None = None, trusted: bool = False) -> Iterator[SceneSource]:
    """Find the scenes that a table names, row by row.

    Args:
        address: of the table; names in it are relative to it.
        asset: of STAC items, see `stac.scenes_of_stac`.
        trusted: let a table from a server name files of this computer.

    Raises:
        InputError: it cannot be read, or has no column that names scenes.
    """
    with open_parquet(address) as file:
        names = file.schema_arrow.names
        if "assets" in names:
            kept = [name for name in names if name not in ("geometry", "bbox", "links")]
            for record in _records(file, kept):
                yield scene_of_item(_item(record), address, asset, trusted)
            return
        column = next((name for accepted in PATH_COLUMNS for name in names if name.lower() == accepted), None)
        if column is None:
            raise InputError(
                f"table {address} has neither STAC assets nor a column of scenes; name it one of: "
                f"{', '.join(PATH_COLUMNS)} (its columns: {', '.join(names[:12])})"
            )
        times = [name for name in TIME_COLUMNS if name in names]
        clouds = [name for name in CLOUD_COLUMNS if name in names]
        for number, record in enumerate(_records(file, [column, *times, *clouds])):
            if not record[column]:
                raise InputError(f"table {address} names no scene in row {number} of {column}")
            place = SceneAddress.of(str(record[column]), address)
            if address.remote and not place.remote and not trusted:
                raise InputError(f"table {address} names the file {place}; if you trust it, add --trust-sources")
            time = next((found for name in times if (found := time_of(record[name]))), None)
            cloud = next((share for name in clouds if (share := cloud_percent(record[name])) is not None), None)
            yield SceneSource(place, ItemRecord(f"the table {address.name}", cloud), time)


@contextmanager
def open_parquet(address: SceneAddress) -> Iterator[Any]:
    """Open a Parquet file, on the disk or a server, as pyarrow's `ParquetFile`.

    Raises:
        InputError: it cannot be read.
    """
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not address.remote:
            source: Any = address.uri
        elif address.scheme.startswith("http"):
            source = io.BytesIO(read_document(address))
        else:
            source = object_file(address)
        with pq.ParquetFile(source) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"table {address} cannot be read as Parquet ({str(error).splitlines()[0][:100]})") from error


def _records(file: Any, columns: list[str]) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
        yield from batch.to_pylist()


def _item(record: dict[str, Any]) -> dict[str, Any]:
    """Make a STAC item of a row, as far as a scene needs one: its geometry is that of the raster."""
    assets = {key: _without_nulls(asset) for key, asset in (record.get("assets") or {}).items() if asset is not None}
    properties = {
        key: value.isoformat() if isinstance(value, dt.datetime) else value
        for key, value in record.items()
        if key not in _NOT_PROPERTIES and value is not None
    }
    properties.setdefault("datetime", None)
    return {
        "type": "Feature", "stac_version": record.get("stac_version") or "1.0.0", "stac_extensions": [],
        "id": str(record.get("id")), "collection": record.get("collection"), "geometry": None, "bbox": None,
        "properties": properties, "assets": assets, "links": [],
    }  # fmt: skip


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {key: found for key, found in value.items() if found is not None}
