"""The columns of a store, and its rows as Python sees them.

A store has two tables. `tiles` holds a row for every tile; `scenes` a row for every scene, written after its last tile,
so that its presence means "this scene is complete". Geometries are WGS84 (longitude, latitude) and cut at the
antimeridian; the flat columns `xmin ymin xmax ymax` are the *unwrapped* extent (`geometry.extent`): `xmax` exceeds 180
for a tile that crosses the antimeridian, so the extent of a small tile is small everywhere.

Nothing here touches LanceDB; pyarrow is imported where it is used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from ..geometry.extent import extent
from .vectors import EncoderInfo, vector_field

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_KEY = "geocmer:schema"
SCHEMA_VERSION = "1"
"""Raised by one whenever a column changes its name, type or meaning."""
EXTENT = ("xmin", "ymin", "xmax", "ymax")
"""The columns of a tile's unwrapped extent, degrees."""


@dataclass(frozen=True, slots=True)
class TileRow:
    """A tile as the store keeps it, without its vector.

    Attributes:
        id: 32 hex digits, the same for the same tile always.
        scene_id: the scene it was cut from.
        row: first grid pixel from the top.
        col: first grid pixel from the left.
        size: edge length in grid pixels.
        geometry: footprint in WGS84, cut at the antimeridian.
        gsd: ground resolution of the grid, metres.
        valid_share: usable pixels / all pixels, 0..1.
        datetime: acquisition time with a time zone, if known.
        category: scene category from land cover, if any.
        fractions: share of each land-cover label, if any.
        captions: sentences about the tile, if any.
        thumbnail: an encoded picture (JPEG or PNG), if any.
    """

    id: str
    scene_id: str
    row: int
    col: int
    size: int
    geometry: Polygon | MultiPolygon
    gsd: float
    valid_share: float
    datetime: dt.datetime | None = None
    category: str | None = None
    fractions: Mapping[str, float] | None = None
    captions: Sequence[str] | None = None
    thumbnail: bytes | None = None


def tiles_schema() -> pa.Schema:
    """Describe a new `tiles` table: no vectors yet, their length is not known before the first encoder."""
    import pyarrow as pa

    return pa.schema(
        [
            key_field(),
            pa.field("scene_id", pa.string()),
            *(pa.field(name, pa.int32()) for name in ("row", "col", "size")),
            pa.field("geometry", pa.binary()),
            *(pa.field(name, pa.float64()) for name in EXTENT),
            pa.field("datetime", pa.timestamp("us", tz="UTC")),
            *(pa.field(name, pa.float32()) for name in ("gsd", "valid_share")),
            pa.field("category", pa.string()),
            pa.field("labels", pa.list_(pa.string())),
            pa.field("fractions", pa.list_(pa.float64())),
            pa.field("captions", pa.list_(pa.string())),
            pa.field("thumbnail", pa.binary()),
        ],
        metadata={SCHEMA_KEY: SCHEMA_VERSION},
    )


def key_field() -> pa.Field:
    """Describe the key column. All of it is needed for inserts that never double a row under two writers (measured).

    It is declared where the table is created, not in a second commit, so that no half-made table can exist.
    """
    import pyarrow as pa

    return pa.field("id", pa.string(), nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"})


def tiles_table(rows: Sequence[TileRow], vectors: pa.Array | None, info: EncoderInfo | None) -> pa.Table:
    """Make an Arrow table with the columns of `tiles_schema`, and the encoder's column if vectors are given."""
    import pyarrow as pa

    schema = tiles_schema()
    geometries = np.array([row.geometry for row in rows], dtype=object)
    columns: dict[str, Any] = dict(zip(EXTENT, extents(geometries).T, strict=True))
    columns["geometry"] = shapely.to_wkb(geometries)
    columns["datetime"] = [utc(row.datetime) for row in rows]
    columns["labels"], columns["fractions"] = share_columns([row.fractions for row in rows])
    plain = [name for name in schema.names if name not in columns]
    columns |= dict(zip(plain, zip(*map(attrgetter(*plain), rows), strict=True), strict=True)) if rows else {}
    arrays = [pa.array(columns.get(field.name, ()), field.type) for field in schema]
    if vectors is not None and info is not None:
        arrays.append(vectors)
        schema = schema.append(vector_field(info))
    return pa.Table.from_arrays(arrays, schema=schema)


def share_columns(shares: Sequence[Mapping[str, float] | None]) -> tuple[pa.ListArray, pa.ListArray]:
    """Make the columns `labels` and `fractions`, end to end: Arrow is slow to look into lists of lists."""
    import pyarrow as pa

    ends = pa.array(np.cumsum([0, *(len(share or ()) for share in shares)]).astype(np.int32))
    lacking = pa.array([share is None for share in shares], pa.bool_())
    names = pa.array([name for share in shares if share for name in share], pa.string())
    values = pa.array([value for share in shares if share for value in share.values()], pa.float64())
    labels, fractions = (pa.ListArray.from_arrays(ends, flat, mask=lacking) for flat in (names, values))
    return labels, fractions


def extents(geometries: NDArray[np.object_]) -> NDArray[np.float64]:
    """Compute the unwrapped extents (n, 4) of footprints: xmin, ymin, xmax, ymax in degrees.

    A polygon was not cut, so its bounds are its extent, and shapely finds them all at once.
    """
    bounds: NDArray[np.float64] = shapely.bounds(geometries).reshape(-1, 4)
    for index in np.flatnonzero(shapely.get_num_geometries(geometries) > 1):
        bounds[index] = extent(geometries[index])
    return bounds


def utc(time: dt.datetime | None) -> dt.datetime | None:
    """Bring a time with a zone to UTC.

    Raises:
        ValueError: it has no zone: a mistake of the calling code.
    """
    if time is not None and time.tzinfo is None:
        raise ValueError(f"datetime {time} has no time zone")
    return None if time is None else time.astimezone(dt.UTC)
