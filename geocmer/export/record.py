"""A hit as every format writes it: its attributes, and its footprint as RFC 7946 asks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, MultiLineString, MultiPolygon, Polygon

from ..imagery.times import utc_text
from ..search.results import Hit

COORDINATE_DECIMALS = 7
"""Of a degree: RFC 7946 section 11.2 takes 6 (10 cm) for enough, one more keeps neighbours at 10 cm pixels apart."""
COLUMNS = (
    "rank",
    "score",
    "probability",
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
    "spot",
)
"""Attributes of a hit, in every format and in this order."""


def attributes(hit: Hit) -> dict[str, Any]:
    """Return a hit's `COLUMNS`, as JSON can hold them: what has parts nested, the time as ISO 8601."""
    return {
        "rank": hit.rank,
        "score": None if hit.score is None else round(hit.score, 6),
        "probability": None if hit.probability is None else round(hit.probability, 6),
        "id": hit.id,
        "category": hit.category,
        "fractions": hit.fractions,
        "datetime": None if hit.datetime is None else utc_text(hit.datetime),
        "gsd": _round_float32(hit.gsd),
        "valid_share": _round_float32(hit.valid_share),
        "scene": hit.uri,
        "row": hit.row,
        "col": hit.col,
        "size": hit.size,
        "partners": [partner.attributes() for partner in hit.partners],
        "spot": None if hit.spot is None else hit.spot.attributes(),
    }


def flat_attributes(hit: Hit) -> dict[str, Any]:
    """Return `attributes` for formats without nesting: class fractions, partners and spot as JSON text."""
    values = attributes(hit)
    nested = {name: json.dumps(values[name], ensure_ascii=False) for name in ("fractions", "partners", "spot")}
    return {**values, **nested, "spot": nested["spot"] if values["spot"] else None}


def feature(hit: Hit, shape: Polygon | MultiPolygon | None = None, *, thumbnail: bool = False) -> dict[str, Any]:
    """Make a GeoJSON feature of a hit (RFC 7946).

    Args:
        hit: what to describe.
        shape: its footprint from `round_geometries`, if that is known already.
        thumbnail: add the picture as a `data:` address.
    """
    if shape is None:
        shape = round_geometries(np.array([hit.geometry], dtype=object))[0]
    image = {"thumbnail": data_url(hit.thumbnail)} if thumbnail else {}
    return {
        "type": "Feature",
        "id": hit.id,
        "geometry": shapely.geometry.mapping(shape),
        "properties": {**attributes(hit), **image},
    }


def partner_lines(hit: Hit) -> Iterator[tuple[LineString | MultiLineString, dict[str, Any]]]:
    """Yield the line to each of a hit's partners, and its attributes. None leads from a tile to itself."""
    for partner in hit.partners:
        if partner.line is not None:
            line = shapely.transform(partner.line, lambda xy: np.round(xy, COORDINATE_DECIMALS))
            yield line, {"rank": hit.rank, "hit": hit.id, **partner.attributes()}


def spot_feature(hit: Hit) -> tuple[Polygon | MultiPolygon, dict[str, Any]] | None:
    """Give the box in which a hit's tile answers the question, and its attributes; None where it was not asked for."""
    if hit.spot is None:
        return None
    box = round_geometries(np.array([hit.spot.geometry], dtype=object))[0]
    return box, {"rank": hit.rank, "hit": hit.id, **hit.spot.attributes()}


def hit_features(hit: Hit, shape: Polygon | MultiPolygon, *, thumbnail: bool) -> Iterator[dict[str, Any]]:
    """Yield a hit, its spot, and the lines to its partners: QGIS opens a layer of polygons and a layer of lines."""
    yield feature(hit, shape, thumbnail=thumbnail)
    if spot := spot_feature(hit):
        geometry = shapely.geometry.mapping(spot[0])
        yield {"type": "Feature", "id": f"{hit.id}/spot", "geometry": geometry, "properties": spot[1]}
    for number, (line, values) in enumerate(partner_lines(hit), 1):
        geometry = shapely.geometry.mapping(line)
        yield {"type": "Feature", "id": f"{hit.id}/{number}", "geometry": geometry, "properties": values}


def round_geometries(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Bring footprints (n,) to what RFC 7946 asks: coordinates rounded, exterior rings counter-clockwise."""
    shapes = shapely.transform(geometries, lambda xy: np.round(xy, COORDINATE_DECIMALS))
    oriented: NDArray[np.object_] = shapely.orient_polygons(shapes, exterior_cw=False)
    return oriented


def media_type(image: bytes) -> str:
    """Tell the media type of an encoded picture by its first bytes."""
    if image.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if image[:4] == b"RIFF" and image[8:12] == b"WEBP" else "image/jpeg"


def data_url(image: bytes | None) -> str | None:
    """Put a picture into a `data:` URL (RFC 2397), as a page or a STAC asset can show it."""
    if not image:
        return None
    return f"data:{media_type(image)};base64,{base64.b64encode(image).decode()}"


def _round_float32(value: float) -> float:
    """Give a float32 of the store in the fewest digits that are read as the same float32."""
    return float(str(np.float32(value)))
