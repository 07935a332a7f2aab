"""GeoParquet 1.1, a row group at a time, with a covering box for readers that want a part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import shapely

from ..format import Format
from ..options import ExportOptions
from ..stream import HitStream
from ..table import CORNERS, arrow_batches, arrow_schema, geo_metadata

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

ROW_GROUP_ROWS = 16 * 1024
"""Rows of a row group: small enough that a reader of a box skips most of the file."""


def write(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write the table. The box of a footprint cut at the antimeridian spans the world: a reader then looks closer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    box = pa.struct([(corner, pa.float64()) for corner in CORNERS])
    schema = arrow_schema(options).append(pa.field("bbox", box))
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        waiting: list[pa.RecordBatch] = []
        for shapes, batch in arrow_batches(stream, options):
            corners = [pa.array(values) for values in shapely.bounds(shapes).reshape(-1, 4).T]
            waiting.append(batch.append_column("bbox", pa.StructArray.from_arrays(corners, CORNERS)))
            if sum(len(one) for one in waiting) >= ROW_GROUP_ROWS:
                file.write_table(pa.Table.from_batches(waiting, schema), row_group_size=ROW_GROUP_ROWS)
                waiting = []
        if waiting:
            file.write_table(pa.Table.from_batches(waiting, schema))
        file.add_key_value_metadata({"geo": json.dumps(geo_metadata(stream))})


def write_polygons(frame: GeoDataFrame, path: Path, _: str) -> None:
    """Write a table of polygons."""
    frame.to_parquet(path)


FORMATS = (
    Format(
        ".parquet", "GeoParquet 1.1 with a covering box", "geopandas, DuckDB, big answers", write,
        write_frame=write_polygons,
    ),
)  # fmt: skip
