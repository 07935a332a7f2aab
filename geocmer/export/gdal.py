"""Layers that GDAL writes from Arrow batches, through pyogrio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .options import ExportOptions
from .stream import Batch
from .table import arrow_batches, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from geopandas import GeoDataFrame


def polygon_reader(stream: Iterable[Batch], options: ExportOptions) -> pa.RecordBatchReader:
    """Make a reader of the hits: all as multipolygons, as some are cut and a layer has one type of geometry."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        for shapes, batch in arrow_batches(stream, options):
            at = batch.schema.get_field_index("geometry")
            wkb = shapely.to_wkb(collect_parts(shapes, shapely.multipolygons))
            yield batch.set_column(at, "geometry", pa.array(wkb))

    return pa.RecordBatchReader.from_batches(arrow_schema(options), batches())


def write_frame(frame: GeoDataFrame, path: Path, driver: str, geometry_type: str, **options: str) -> None:
    """Write a table of polygons as a layer.

    Args:
        frame: the table.
        path: of the file.
        driver: of GDAL.
        geometry_type: MultiPolygon, or Unknown where the format takes polygons of both kinds.
        options: as `layer`.
    """
    frame.to_file(path, driver=driver, engine="pyogrio", geometry_type=geometry_type, promote_to_multi=True, **options)


def write_layer(
    driver: str,
    batches: pa.RecordBatchReader,
    path: Path,
    name: str,
    geometry_type: str,
    *,
    append: bool = False,
    **options: str,
) -> None:
    """Write a layer.

    Args:
        driver: of GDAL.
        batches: the rows, with a column `geometry` of WKB.
        path: of the file.
        name: of the layer.
        geometry_type: of all of them.
        append: add a layer to a file.
        options: of the driver, for the layer.

    Raises:
        OSError: GDAL cannot write it, as on a full disk.
    """
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
    place = {"geometry_name": "geometry", "geometry_type": geometry_type, "crs": "EPSG:4326"}
    try:
        pyogrio.write_arrow(reader, path, driver=driver, layer=name, append=append, **place, **options)
    except Exception as error:
        if failures:
            raise failures[0] from None
        if isinstance(error, RuntimeError) or type(error).__name__.startswith("CPLE_"):  # what GDAL says of itself
            raise OSError(str(error)) from error
        raise


def collect_parts(shapes: NDArray[np.object_], collect: Callable[..., Any]) -> NDArray[np.object_]:
    """Make a collection of each geometry, (n,), of one part or more."""
    parts, index = shapely.get_parts(shapes, return_index=True)
    return np.asarray(collect(parts, indices=index), dtype=object)
