"""Hits as Arrow batches, and the formats made of them: GeoParquet, GeoPackage, FlatGeobuf."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .options import Options
from .qgis_style import QML_OF_LINES, embed, qml
from .record import COLUMNS, flat, links
from .stream import Batch, Stream

if TYPE_CHECKING:
    import pyarrow as pa

CORNERS = ("xmin", "ymin", "xmax", "ymax")
ROW_GROUP = 16 * 1024
"""Rows of a GeoParquet row group: small enough that a reader of a box skips most of the file."""


def geoparquet(stream: Stream, path: Path, options: Options) -> None:
    """GeoParquet 1.1, a row group at a time, with a covering box for readers that want a part.

    The box of a footprint cut at the antimeridian spans the world: a reader then looks closer, and misses nothing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    box = pa.struct([(corner, pa.float64()) for corner in CORNERS])
    schema = _schema(options).append(pa.field("bbox", box))
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        waiting: list[pa.RecordBatch] = []
        for shapes, batch in _batches(stream, options):
            corners = [pa.array(values) for values in shapely.bounds(shapes).reshape(-1, 4).T]
            waiting.append(batch.append_column("bbox", pa.StructArray.from_arrays(corners, CORNERS)))
            if sum(len(one) for one in waiting) >= ROW_GROUP:
                file.write_table(pa.Table.from_batches(waiting, schema), row_group_size=ROW_GROUP)
                waiting = []
        if waiting:
            file.write_table(pa.Table.from_batches(waiting, schema))
        file.add_key_value_metadata({"geo": json.dumps(geo(stream))})


def geopackage(stream: Stream, path: Path, options: Options) -> None:
    """A layer of footprints, one of lines to the partners if there are any, and a QGIS style for each."""
    import pyarrow as pa

    lines: list[tuple[Any, dict[str, Any]]] = []

    def noting() -> Iterator[Batch]:
        for batch in stream:
            lines.extend(link for hit in batch.hits for link in links(hit))
            yield batch

    _layer("GPKG", _polygons(noting(), options), path, path.stem, "MultiPolygon")
    styles = {path.stem: qml(stream)}
    if lines:
        name = f"{path.stem} partners"
        table = pa.Table.from_pylist([values for _, values in lines])
        shapes = _multi(np.array([line for line, _ in lines], dtype=object), shapely.multilinestrings)
        reader = table.append_column("geometry", pa.array(shapely.to_wkb(shapes))).to_reader()
        _layer("GPKG", reader, path, name, "MultiLineString", append=True)
        styles[name] = QML_OF_LINES
    embed(path, styles)


def flatgeobuf(stream: Stream, path: Path, options: Options) -> None:
    """FlatGeobuf, with its spatial index."""
    _layer("FlatGeobuf", _polygons(stream, options), path, path.stem, "MultiPolygon")


def _polygons(stream: Iterable[Batch], options: Options) -> pa.RecordBatchReader:
    """The hits for GDAL. A layer holds one type of geometry, and some footprints are cut: so all are multipolygons."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        for shapes, batch in _batches(stream, options):
            at = batch.schema.get_field_index("geometry")
            yield batch.set_column(at, "geometry", pa.array(shapely.to_wkb(_multi(shapes, shapely.multipolygons))))

    return pa.RecordBatchReader.from_batches(_schema(options), batches())


def _layer(
    driver: str, batches: pa.RecordBatchReader, path: Path, name: str, kind: str, *, append: bool = False
) -> None:
    import pyarrow as pa
    import pyogrio

    failures: list[BaseException] = []

    def guarded() -> Iterator[pa.RecordBatch]:
        # GDAL pulls the batches; what goes wrong meanwhile would come back from it as a message without its type.
        try:
            yield from batches
        except BaseException as error:
            failures.append(error)
            raise

    reader = pa.RecordBatchReader.from_batches(batches.schema, guarded())
    place = {"geometry_name": "geometry", "geometry_type": kind, "crs": "EPSG:4326"}
    try:
        pyogrio.write_arrow(reader, path, driver=driver, layer=name, append=append, **place)
    except Exception:
        if failures:
            raise failures[0] from None
        raise


def _schema(options: Options) -> pa.Schema:
    """The columns, with their types stated, so that no hits, or none with a category, still make the same ones."""
    import pyarrow as pa

    types: dict[str, Any] = dict.fromkeys(("rank", "row", "col", "size"), pa.int64())
    types |= dict.fromkeys(("score", "gsd", "valid_share"), pa.float64())
    types["datetime"] = pa.timestamp("us", tz="UTC")
    columns = [pa.field(name, types.get(name, pa.string())) for name in COLUMNS]
    picture = [pa.field("thumbnail", pa.binary())] if options.thumbnails else []
    return pa.schema([*columns, *picture, pa.field("geometry", pa.binary())])


def _batches(stream: Iterable[Batch], options: Options) -> Iterator[tuple[NDArray[np.object_], pa.RecordBatch]]:
    """Footprints, and the same hits as Arrow."""
    import pyarrow as pa

    schema = _schema(options)
    for hits, shapes in stream:
        records = [flat(hit) for hit in hits]
        columns: dict[str, Any] = {name: [record[name] for record in records] for name in COLUMNS}
        columns["datetime"] = [hit.datetime for hit in hits]
        columns["thumbnail"] = [hit.thumbnail for hit in hits]
        columns["geometry"] = shapely.to_wkb(shapes)
        yield shapes, pa.RecordBatch.from_arrays([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def _multi(shapes: NDArray[np.object_], collect: Callable[..., Any]) -> NDArray[np.object_]:
    parts, index = shapely.get_parts(shapes, return_index=True)
    return np.asarray(collect(parts, indices=index), dtype=object)


def geo(stream: Stream) -> dict[str, Any]:
    """The file metadata of GeoParquet 1.1."""
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
