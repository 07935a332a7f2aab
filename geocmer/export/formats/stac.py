"""stac-geoparquet: a STAC Item a row, their Collection in the file's metadata, and beside it the model as a STAC Item.

STAC 1.0.0, because the Embedding extension v0.0.1 asks for it. The vectors stay in the store, which the asset
`embeddings` names; the Machine Learning Model extension v1.5.2 describes the encoder in `NAME.model.json`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from ...errors import InputError
from ...imagery.times import utc_text
from ...search.results import Hit
from ...store.snapshot import Snapshot
from ...store.vectors import EncoderInfo
from ..format import Format
from ..options import ExportOptions
from ..record import attributes, data_url, media_type
from ..stream import Batch, HitStream
from ..table import CORNERS, geo_metadata

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".stac.parquet"
STAC_VERSION = "1.0.0"
EMBEDDING_SCHEMA = "https://stac-extensions.github.io/embeddings/v0.0.1/schema.json"
MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json"
COLLECTION_ID = "geocmer-tiles"
UNKNOWN_INTERVAL = "1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
"""STAC wants a time of everything: of an undated scene, an interval that says no more than is known."""
QUANTIZATION = {"method": "cast", "original_dtype": "float32", "quantized_dtype": "float16"}


def write(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write the items, a batch at a time; the Collection at the end, when its extent is known.

    Raises:
        InputError: nothing tells which store and which encoder the hits came from.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = options.source
    if source is None or source.encoder is None:
        raise InputError(
            f"{options.path.name}: STAC names the model behind the hits, and none is known; embed the store, and write"
            " the answer of a search or name the `source`"
        )
    name = options.path.name
    model = f"{name[: -len(SUFFIX)]}.model.json"  # whatever the case of the suffix
    sizes: set[int] = set()
    times: list[dt.datetime] = []
    schema = _schema(options)
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for batch in stream:
            sizes.update(hit.size for hit in batch.hits)
            known = [*times, *(hit.datetime for hit in batch.hits if hit.datetime is not None)]
            times = [min(known), max(known)] if known else []
            file.write_table(pa.Table.from_pylist(_rows(batch, source, name, options), schema))
        metadata = {
            "version": "1.0.0",
            "collections": {
                COLLECTION_ID: _collection(stream, source, source.encoder, sizes, times, (name, model), options)
            },
        }
        file.add_key_value_metadata({"geo": json.dumps(geo_metadata(stream)), "stac-geoparquet": json.dumps(metadata)})
    description = json.dumps(_model(source.encoder, model), indent=2) + "\n"
    path.with_name(f"{path.name[: -len(SUFFIX)]}.model.json").write_text(description, encoding="utf-8")


def _rows(batch: Batch, source: Snapshot, name: str, options: ExportOptions) -> list[dict[str, Any]]:
    """Lay out items as the format has them: properties beside the rest, WKB, corners of the box by name."""
    bounds = shapely.bounds(batch.shapes).reshape(-1, 4)
    return [
        _item(hit, source, name, options)
        | {"geometry": shape, "bbox": dict(zip(CORNERS, map(float, box), strict=True))}
        for hit, shape, box in zip(batch.hits, shapely.to_wkb(batch.shapes), bounds, strict=True)
    ]


def _item(hit: Hit, source: Snapshot, name: str, options: ExportOptions) -> dict[str, Any]:
    encoder = source.encoder
    assert encoder is not None
    values = attributes(hit)
    own = {f"geocmer:{key}": values[key] for key in _COLUMN_TYPES}
    embeddings = {
        "href": _table_href(source, options, "tiles"),
        "title": f"Lance table, column {encoder.column}, row {hit.id}",
        "roles": ["data"],
    }
    assets: dict[str, Any] = {"embeddings": embeddings}
    if options.thumbnails and hit.thumbnail:
        assets["thumbnail"] = {
            "href": data_url(hit.thumbnail),
            "type": media_type(hit.thumbnail),
            "roles": ["thumbnail"],
        }
    start, end = (hit.datetime, hit.datetime) if hit.datetime else map(dt.datetime.fromisoformat, UNKNOWN_INTERVAL)
    links = [{"rel": "collection", "href": f"./{name}"}]
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [EMBEDDING_SCHEMA],
        "id": hit.id,
        "collection": COLLECTION_ID,
        "links": links + ([{"rel": "emb:source-data", "href": hit.uri}] if hit.uri else []),
        "assets": assets,
        "datetime": hit.datetime,
        "start_datetime": start,  # of a dated scene too: a reader of the table makes a null of an empty cell
        "end_datetime": end,
        "gsd": values["gsd"],
        **own,
        "geocmer:fractions": json.dumps(hit.fractions, ensure_ascii=False),
        "geocmer:partners": json.dumps(values["partners"], ensure_ascii=False),
        "geocmer:spot": None if hit.spot is None else json.dumps(values["spot"]),
        "emb:quantization": QUANTIZATION,
    }


_COLUMN_TYPES = {
    "rank": "int64",
    "score": "float64",
    "probability": "float64",
    "category": "string",
    "valid_share": "float64",
}
_COLUMN_TYPES |= dict.fromkeys(("row", "col", "size"), "int64")


def _schema(options: ExportOptions) -> pa.Schema:
    import pyarrow as pa

    text, time = pa.string(), pa.timestamp("us", tz="UTC")
    roles = ("roles", pa.list_(text))
    assets = [("embeddings", pa.struct([("href", text), ("title", text), roles]))]
    if options.thumbnails:
        assets.append(("thumbnail", pa.struct([("href", text), ("type", text), roles])))
    return pa.schema(
        [
            *((name, text) for name in ("type", "stac_version")),
            ("stac_extensions", pa.list_(text)),
            ("id", text),
            ("geometry", pa.binary()),
            ("bbox", pa.struct([(corner, pa.float64()) for corner in CORNERS])),
            ("links", pa.list_(pa.struct([(name, text) for name in ("rel", "href")]))),
            ("assets", pa.struct(assets)),
            ("collection", text),
            *((name, time) for name in ("datetime", "start_datetime", "end_datetime")),
            ("gsd", pa.float64()),
            *((f"geocmer:{name}", pa.type_for_alias(kind)) for name, kind in _COLUMN_TYPES.items()),
            *((f"geocmer:{name}", text) for name in ("fractions", "partners", "spot")),
            ("emb:quantization", pa.struct([(name, text) for name in QUANTIZATION])),
        ]
    )


def _collection(
    stream: HitStream,
    source: Snapshot,
    encoder: EncoderInfo,
    sizes: set[int],
    times: list[dt.datetime],
    files: tuple[str, str],
    options: ExportOptions,
) -> dict[str, Any]:
    name, model = files
    interval: list[str | None] = [utc_text(time) for time in times]
    chips = {"chip_size": 2 * list(sizes)} if len(sizes) == 1 else {}
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [EMBEDDING_SCHEMA],
        "id": COLLECTION_ID,
        "description": f"Tiles of the geocmer store {source.path}, embedded by {encoder.title}",
        "license": "proprietary",  # STAC 1.0's word for a licence that is not stated here: the scenes' own
        "extent": {
            "spatial": {"bbox": [stream.bbox() if stream.count else [-180, -90, 180, 90]]},
            "temporal": {"interval": [interval or [None, None]]},
        },
        "emb:type": "chip",
        "emb:dimensions": encoder.dim,
        "data_type": "float16",
        "emb:chip_layout": {"layout_type": "regular_grid" if len(sizes) == 1 else "variable_grid", **chips},
        "emb:fit_for_use": ["retrieval"],
        "links": [
            {"rel": "self", "href": f"./{name}", "type": "application/vnd.apache.parquet"},
            {"rel": "emb:model", "href": f"./{model}", "type": "application/geo+json"},
            {
                "rel": "emb:source-data",
                "href": _table_href(source, options, "scenes"),
                "title": "The scenes of the store",
            },
        ],
    }


def _model(encoder: EncoderInfo, name: str) -> dict[str, Any]:
    """Describe the encoder as an Item of the Machine Learning Model extension; of no place, so of the whole Earth."""
    world = shapely.box(-180, -90, 180, 90)
    start, end = UNKNOWN_INTERVAL
    structure = {"data_type": "float32", "dim_order": ["batch", "channel", "height", "width"], "shape": [-1, 3, -1, -1]}
    vector = {"data_type": "float32", "dim_order": ["batch", "embedding"], "shape": [-1, encoder.dim]}
    asset = {"href": encoder.adapter or encoder.model, "roles": ["mlm:model"], "mlm:artifact_type": "safetensors"}
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [MLM_SCHEMA],
        "id": encoder.fingerprint,
        "geometry": shapely.geometry.mapping(world),
        "bbox": list(map(float, world.bounds)),
        "properties": {
            "description": f"Encoder of a geocmer store: {encoder.title}",
            "datetime": None,
            "start_datetime": start,
            "end_datetime": end,
            "mlm:name": encoder.model,
            "mlm:architecture": encoder.model,
            "mlm:framework": "PyTorch",
            "mlm:tasks": ["similarity-search"],
            "mlm:input": [{"name": "tile", "bands": [], "input": structure}],
            "mlm:output": [{"name": "unit vector", "tasks": ["similarity-search"], "result": vector}],
        },
        "links": [{"rel": "self", "href": f"./{name}", "type": "application/geo+json"}],
        "assets": {"model": asset},
    }


def _table_href(source: Snapshot, options: ExportOptions, table: str) -> str:
    """Tell where a table of the store lies, as seen from the file: references are relative to it, not to us."""
    if "://" in source.path:
        return f"{source.path.rstrip('/')}/{table}.lance"
    store, folder = Path(source.path).resolve(), options.path.parent.resolve()
    if store.anchor != folder.anchor:  # on another drive
        return f"{store.as_posix()}/{table}.lance"
    return f"{Path(os.path.relpath(store, folder)).as_posix()}/{table}.lance"


FORMATS = (
    Format(
        SUFFIX,
        "stac-geoparquet with the Embedding and Machine Learning Model extensions",
        "catalogues",
        write,
        score_column="geocmer:score",
    ),
)
