"""A map page: one HTML file with the hits, their pictures and the map library inside, that opens without a network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from .._files import bundled_file
from ..errors import InputError
from ..search.results import Hit
from .options import Options
from .record import attributes, data_address, links
from .stream import Stream

MOST = 10_000
"""Hits on a page: more, and a browser is slow to open it."""
BASEMAP = "https://tiles.maps.eox.at"
"""Asked for pictures only when the person presses the button; the page may reach nothing else."""
MERCATOR = 85.0
"""Latitude beyond which web mercator cannot draw."""


def page(stream: Stream, path: Path, options: Options) -> None:
    """The map.

    Raises:
        InputError: there are more than `MOST` hits.
    """
    found: list[tuple[Hit, Polygon | MultiPolygon]] = []
    for batch in stream:
        found.extend(zip(*batch, strict=True))
        if len(found) > MOST:
            raise InputError(
                f"{path.name}: a map page holds at most {MOST} hits; ask for fewer with -k or a filter, or write .gpkg"
            )
    bounds = stream.bbox() if found else None
    turned = bounds is not None and bounds[0] > bounds[2]
    if bounds is not None and turned:
        bounds[2] += 360
    content = {
        "hits": [_entry(hit, shape, turned) for hit, shape in found],
        "bounds": bounds,
        "low": round(float(stream.low), 6) if stream.scored else None,
        "high": round(float(stream.high), 6) if stream.scored else None,
        "polar": bounds is not None and max(-bounds[1], bounds[3]) > MERCATOR,
    }
    styles, scripts = ("leaflet.css", "map.css"), ("leaflet.js", "map.js")
    parts = {name: _part(name) for name in (*styles, *scripts, "land.json")}
    parts["title"] = html.escape(options.title or "Tiles")
    # As text inside a script element: "<" would let a category end the element, so it is written as JSON can.
    parts["hits"] = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    # Nothing runs but the scripts that are named here by their hashes, whatever a category or a file name says.
    parts["policy"] = html.escape(
        f"default-src 'none'; img-src data: {BASEMAP}; script-src {_hashes(parts[name] for name in scripts)};"
        f" style-src {_hashes(parts[name] for name in styles)}; base-uri 'none'; form-action 'none'"
    )
    # One pass, so that nothing in a part is taken for the place of another.
    text = re.sub(r"{{([a-z.]+)}}", lambda found: parts[found[1]], _part("map.html"))
    path.write_text(text, encoding="utf-8")


def _entry(hit: Hit, shape: Polygon | MultiPolygon, turned: bool) -> dict[str, Any]:
    """What the page knows of a hit. Outlines are thinned to a five-hundredth of the tile: no eye sees that."""
    whole = shapely.union_all([Polygon(_unwrapped(part.exterior, turned)) for part in shapely.get_parts(shape)])
    thin = shapely.get_parts(shapely.simplify(whole, np.sqrt(whole.area) / 500))
    rings = [shapely.get_coordinates(part.exterior).tolist() for part in thin]
    middle = shapely.total_bounds([shapely.LinearRing(ring) for ring in rings])
    return {
        **attributes(hit),
        "rings": rings,
        "centre": [round(float(middle[0] + middle[2]) / 2, 6), round(float(middle[1] + middle[3]) / 2, 6)],
        "picture": data_address(hit.thumbnail),
        "corners": _corners(hit, turned),
        "partners": [
            {**values, "line": [_unwrapped(part, turned) for part in shapely.get_parts(line)]}
            for line, values in links(hit)
        ],
    }


def _unwrapped(line: BaseGeometry, turned: bool) -> list[list[float]]:
    """Points; those west of the antimeridian's far side go on beyond 180 where the hits lie about it."""
    points = shapely.get_coordinates(line).round(6)
    if turned and points[:, 0].min() < 0:
        points[:, 0] += 360
    return [[float(x), float(y)] for x, y in points]


def _corners(hit: Hit, turned: bool) -> list[list[float]] | None:
    """Where the picture's first, second and third corner lie: top left, top right, bottom left; None if not known.

    A footprint has as many points on each side and ends at the top left (`geometry.footprint`, rows running down). One
    that was cut, or that does not lie about as a map does, is left without a picture rather than with a wrong one.
    """
    if not hit.thumbnail or not isinstance(hit.geometry, Polygon):
        return None
    points = shapely.get_coordinates(hit.geometry)[:-1]
    side = len(points) // 4
    if len(points) % 4:
        return None
    below, across, beside, top = points[side - 1 :: side]
    middle = (top + across) / 2
    if not (top[0] < middle[0] < beside[0] and below[1] < middle[1] < top[1]):
        return None
    return [_unwrapped(shapely.Point(point), turned)[0] for point in (top, beside, below)]


@cache
def _part(name: str) -> str:
    return bundled_file("map", name).read_text(encoding="utf-8")


def _hashes(texts: Any) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
