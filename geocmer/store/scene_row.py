"""The `scenes` table: a row for each complete scene, and what of it is kept as JSON text, typed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..imagery.scene_source import ItemRecord
from ..imagery.stretch import Stretch
from .schema import SCHEMA_KEY, SCHEMA_VERSION, key_field, utc

if TYPE_CHECKING:
    import pyarrow as pa

    from ..imagery.tiling import TilingReport


@dataclass(frozen=True, slots=True)
class GridRecord:
    """The grid of a scene and what else reading the same pixels again takes.

    Attributes:
        size: side of a tile, grid pixels.
        stride: step between tiles, grid pixels.
        transform: the six coefficients of the affine transform from grid pixel to CRS.
        width: grid pixels.
        height: grid pixels.
        scale: scene columns per grid column.
        gsd: metres per grid pixel.
        requested_gsd: the same as it was asked for; None for the scene's own pixels.
        nodata: the value that was given for pixels without data.
        gcps: whether ground control points place the scene.
        stretch_rule: that was asked for, as `--stretch` reads it; None for the default.
        requested_bands: that were asked for; None for those that the scene declares.
    """

    size: int
    stride: int
    transform: tuple[float, ...] = ()
    width: int = 0
    height: int = 0
    scale: float = 1.0
    gsd: float | None = None
    requested_gsd: float | None = None
    nodata: float | None = None
    gcps: bool = False
    stretch_rule: str | None = None
    requested_bands: tuple[int, ...] | None = None

    @classmethod
    def of(cls, record: dict[str, Any]) -> GridRecord:
        """Read what the store keeps; one made before `requested_gsd` was kept has the scale and the resolution."""
        if record.get("scale", 1) != 1:
            record = {"requested_gsd": record.get("gsd"), **record}
        bands = record.get("requested_bands")
        tuples = {"transform": tuple(record.get("transform", ())), "requested_bands": bands and tuple(bands)}
        return cls(**{**record, **tuples})


@dataclass(frozen=True, slots=True)
class TilingSettings:
    """What decides whether a complete scene is to be tiled again; None where a store made before does not say.

    Attributes:
        cover: hash of the land-cover layer, or None for no layer.
        rules: from class shares to a category, as text.
        min_valid: least share of usable pixels in a tile, 0..1.
    """

    cover: str | None = None
    rules: str | None = None
    min_valid: float | None = None


@dataclass(frozen=True, slots=True)
class SceneRow:
    """A scene whose tiles are all in the store.

    Attributes:
        id: 32 hex digits of content, bands and grid.
        uri: where the raster was read.
        content_hash: blake2b-128 of its bytes, hex.
        crs: WKT.
        transform: the six coefficients a, b, c, d, e, f of the affine transform from pixel to CRS.
        width: pixels.
        height: pixels.
        gsd: metres, at the centre.
        bands: the three bands used, counted from 1.
        stretch: of the scene.
        grid: that its tiles were cut by.
        report: how many tiles were made, and why others were not.
        datetime: acquisition time with a time zone, if known.
        settings: that it was tiled with.
        created_at: when it was completed.
        item: what the STAC item or the table says that named it, if one did.
    """

    id: str
    uri: str
    content_hash: str
    crs: str
    transform: tuple[float, ...]
    width: int
    height: int
    gsd: float
    bands: tuple[int, ...]
    stretch: Stretch
    grid: GridRecord
    report: TilingReport
    datetime: dt.datetime | None
    settings: TilingSettings
    created_at: dt.datetime
    item: ItemRecord | None = None

    def shares_tiles(self, other: SceneRow) -> bool:
        """Tell whether another scene is of the same pixels, read and divided alike but for the stride."""
        windows = [(row.content_hash, row.bands, row.stretch, replace(row.grid, stride=0)) for row in (self, other)]
        return self.id != other.id and windows[0] == windows[1]


def _tiling_report(text: str) -> TilingReport:
    from ..imagery.tiling import TilingReport  # imports rasterio, which no search needs

    return TilingReport(**json.loads(text))


COLUMNS = {"report": "account", "settings": "landcover"}
"""Attributes whose columns have another name, since the first stores."""
_REQUIRED = ("id", "uri", "crs", "width", "height", "gsd", "created_at")
_WRITERS: dict[str, Callable[[Any], Any]] = {
    "stretch": Stretch.to_json,
    "grid": lambda value: json.dumps(asdict(value)),
    "report": lambda value: json.dumps(asdict(value)),
    "settings": lambda value: json.dumps(asdict(value)),
    "datetime": utc,
    "created_at": utc,
    "item": lambda value: value and json.dumps(asdict(value)),
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "stretch": Stretch.from_json,
    "grid": lambda text: GridRecord.of(json.loads(text)),
    "report": _tiling_report,
    "settings": lambda text: TilingSettings(**json.loads(text or "{}")),
    "transform": tuple,
    "bands": tuple,
    "item": lambda text: ItemRecord(**json.loads(text)) if text else None,
}


def scenes_schema() -> pa.Schema:
    """Describe the `scenes` table, with columns named and ordered as in `SceneRow`."""
    import pyarrow as pa

    time = pa.timestamp("us", tz="UTC")
    types = {
        "transform": pa.list_(pa.float64(), 6),
        "bands": pa.list_(pa.int32()),
        "width": pa.int32(),
        "height": pa.int32(),
        "gsd": pa.float64(),
        "datetime": time,
        "created_at": time,
    }
    names = [field.name for field in fields(SceneRow)][1:]
    return pa.schema(
        [key_field(), *(pa.field(COLUMNS.get(name, name), types.get(name, pa.string())) for name in names)],
        metadata={SCHEMA_KEY: SCHEMA_VERSION},
    )


def scenes_table(rows: Sequence[SceneRow]) -> pa.Table:
    """Make an Arrow table with the columns of `scenes_schema`."""
    import pyarrow as pa

    schema = scenes_schema()
    arrays = []
    for attribute, column in zip(fields(SceneRow), schema, strict=True):
        write = _WRITERS.get(attribute.name, lambda value: value)
        arrays.append(pa.array([write(getattr(row, attribute.name)) for row in rows], column.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def scene_row(record: dict[str, Any]) -> SceneRow:
    """Read a row that `scenes_table` wrote.

    Raises:
        StoreError: it is damaged, or somebody else wrote it.
    """
    try:
        record = {"item": None, **record}  # a store made before has no such column
        values = {field.name: record[COLUMNS.get(field.name, field.name)] for field in fields(SceneRow)}
        lacking = [name for name in _REQUIRED if values[name] is None]
        if lacking:
            raise ValueError(f"it has no {lacking[0]}")
        return SceneRow(**{name: _READERS.get(name, lambda value: value)(value) for name, value in values.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        name = str(record.get("id"))
        scene = str(record.get("uri") or name)[:200]
        raise StoreError(
            f"the record of scene {scene} is damaged ({str(error)[:80]}); `geocmer tile` the "
            f"scene again with the options of then, which writes the record anew, or `geocmer remove {name[:8]}`"
        ) from error
