"""Hits as Arrow batches, for every format that is made of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .options import ExportOptions
from .record import COLUMNS, flat_attributes
from .stream import Batch, HitStream

if TYPE_CHECKING:
    import pyarrow as pa

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def arrow_schema(options: ExportOptions) -> pa.Schema:
    """Give the columns their types, so that no hits, or none with a category, still make the same ones."""
    import pyarrow as pa

    types: dict[str, Any] = dict.fromkeys(("rank", "row", "col", "size"), pa.int64())
    types |= dict.fromkeys(("score", "probability", "gsd", "valid_share"), pa.float64())
    types["datetime"] = pa.timestamp("us", tz="UTC")
    columns = [pa.field(name, types.get(name, pa.string())) for name in COLUMNS]
    image = [pa.field("thumbnail", pa.binary())] if options.thumbnails else []
    return pa.schema([*columns, *image, pa.field("geometry", pa.binary())])


def arrow_batches(
    stream: Iterable[Batch], options: ExportOptions
) -> Iterator[tuple[NDArray[np.object_], pa.RecordBatch]]:
    """Yield footprints (n,), and the same hits as Arrow."""
    import pyarrow as pa

    schema = arrow_schema(options)
    for hits, shapes in stream:
        records = [flat_attributes(hit) for hit in hits]
        columns: dict[str, Any] = {name: [record[name] for record in records] for name in COLUMNS}
        columns["datetime"] = [hit.datetime for hit in hits]
        columns["thumbnail"] = [hit.thumbnail for hit in hits]
        columns["geometry"] = shapely.to_wkb(shapes)
        yield shapes, pa.RecordBatch.from_arrays([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def geo_metadata(stream: HitStream) -> dict[str, Any]:
    """Make the file metadata of GeoParquet 1.1."""
    from pyproj import CRS

    column = {
        "encoding": "WKB",
        "geometry_types": ["Polygon", "MultiPolygon"],
        "crs": CRS.from_epsg(4326).to_json_dict(),
        "orientation": "counterclockwise",
        "covering": {"bbox": {corner: ["bbox", corner] for corner in CORNERS}},
    }
    if stream.count:
        column["bbox"] = stream.bbox()
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
