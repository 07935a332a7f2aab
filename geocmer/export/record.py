"""A hit as every format writes it: its attributes, and its footprint as RFC 7946 asks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, MultiLineString, MultiPolygon, Polygon

from ..search.results import Hit

DECIMALS = 7
"""Of a degree: RFC 7946 section 11.2 takes 6 (10 cm) for enough, one more keeps neighbours at 10 cm pixels apart."""
COLUMNS = (
    "rank",
    "score",
    "id",
    "category",
    "fractions",
    "datetime",
    "gsd",
    "valid_share",
    "scene",
    "row",
    "col",
    "size",
    "partners",
)
"""Attributes of a hit, in every format and in this order."""


def attributes(hit: Hit) -> dict[str, Any]:
    """A hit's `COLUMNS`, as JSON can hold them: class fractions and partners nested, the time as ISO 8601."""
    return {
        "rank": hit.rank,
        "score": None if hit.score is None else round(hit.score, 6),
        "id": hit.id,
        "category": hit.category,
        "fractions": hit.fractions,
        "datetime": None if hit.datetime is None else hit.datetime.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "gsd": _single(hit.gsd),
        "valid_share": _single(hit.valid_share),
        "scene": hit.uri,
        "row": hit.row,
        "col": hit.col,
        "size": hit.size,
        "partners": [partner.attributes() for partner in hit.partners],
    }


def flat(hit: Hit) -> dict[str, Any]:
    """`attributes` for formats without nesting: class fractions and partners as JSON text."""
    values = attributes(hit)
    return {**values, **{name: json.dumps(values[name], ensure_ascii=False) for name in ("fractions", "partners")}}


def feature(hit: Hit, shape: Polygon | MultiPolygon | None = None, *, thumbnail: bool = False) -> dict[str, Any]:
    """A hit as a GeoJSON feature (RFC 7946).

    Args:
        hit: what to describe.
        shape: its footprint from `rounded`, if that is known already.
        thumbnail: add the picture as a `data:` address.
    """
    if shape is None:
        shape = rounded(np.array([hit.geometry], dtype=object))[0]
    picture = {"thumbnail": data_address(hit.thumbnail)} if thumbnail else {}
    return {
        "type": "Feature",
        "id": hit.id,
        "geometry": shapely.geometry.mapping(shape),
        "properties": {**attributes(hit), **picture},
    }


def links(hit: Hit) -> Iterator[tuple[LineString | MultiLineString, dict[str, Any]]]:
    """The line to each of a hit's partners, and what is known of it. None leads from a tile to itself."""
    for partner in hit.partners:
        if partner.line is not None:
            line = shapely.transform(partner.line, lambda xy: np.round(xy, DECIMALS))
            yield line, {"rank": hit.rank, "hit": hit.id, **partner.attributes()}


def features(hit: Hit, shape: Polygon | MultiPolygon, *, thumbnail: bool) -> Iterator[dict[str, Any]]:
    """A hit, and then the lines to its partners: QGIS opens these as a layer of polygons and a layer of lines."""
    yield feature(hit, shape, thumbnail=thumbnail)
    for number, (line, values) in enumerate(links(hit), 1):
        geometry = shapely.geometry.mapping(line)
        yield {"type": "Feature", "id": f"{hit.id}/{number}", "geometry": geometry, "properties": values}


def rounded(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Footprints with coordinates as RFC 7946 asks: rounded, exterior rings counter-clockwise."""
    shapes = shapely.transform(geometries, lambda xy: np.round(xy, DECIMALS))
    oriented: NDArray[np.object_] = shapely.orient_polygons(shapes, exterior_cw=False)
    return oriented


def media_type(picture: bytes) -> str:
    """Of an encoded picture, told by its first bytes."""
    return "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"


def data_address(picture: bytes | None) -> str | None:
    """A picture inside an address (RFC 2397), as a page or a STAC asset can show it."""
    if not picture:
        return None
    return f"data:{media_type(picture)};base64,{base64.b64encode(picture).decode()}"


def _single(value: float) -> float:
    """A float32 from the store in the fewest digits that are read as the same float32."""
    return float(str(np.float32(value)))
