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
from .options import ExportOptions
from .record import attributes, data_url, partner_lines
from .stream import HitStream

MAX_PAGE_HITS = 10_000
"""Hits on a page: more, and a browser is slow to open it."""
BASEMAP_URL = "https://tiles.maps.eox.at"
"""Asked for pictures only when the person presses the button; the page may reach nothing else."""
MAX_MERCATOR_LATITUDE = 85.0
"""Latitude beyond which web mercator cannot draw."""


def write_page(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write the page.

    Raises:
        InputError: there are more than `MAX_PAGE_HITS` hits.
    """
    found: list[tuple[Hit, Polygon | MultiPolygon]] = []
    for batch in stream:
        found.extend(zip(*batch, strict=True))
        if len(found) > MAX_PAGE_HITS:
            raise InputError(
                f"{options.path.name}: a map page holds at most {MAX_PAGE_HITS} hits; ask for fewer with -k or a"
                " filter, or write .gpkg"
            )
    bounds = stream.bbox() if found else None
    crosses_180 = bounds is not None and bounds[0] > bounds[2]
    if bounds is not None and crosses_180:
        bounds[2] += 360
    content = {
        "hits": [_hit_json(hit, shape, crosses_180) for hit, shape in found],
        "bounds": bounds,
        "low": round(float(stream.min_score), 6) if stream.scored else None,
        "high": round(float(stream.max_score), 6) if stream.scored else None,
        "polar": bounds is not None and max(-bounds[1], bounds[3]) > MAX_MERCATOR_LATITUDE,
    }
    styles, scripts = ("leaflet.css", "map.css"), ("leaflet.js", "map.js")
    parts = {name: _asset(name) for name in (*styles, *scripts, "land.json")}
    parts["title"] = html.escape(options.title or "Tiles")
    # As text inside a script element: "<" would let a category end the element, so it is written as JSON can.
    parts["hits"] = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    # Nothing runs but the scripts that are named here by their hashes, whatever a category or a file name says.
    parts["policy"] = html.escape(
        f"default-src 'none'; img-src data: {BASEMAP_URL}; script-src {_hashes(parts[name] for name in scripts)};"
        f" style-src {_hashes(parts[name] for name in styles)}; base-uri 'none'; form-action 'none'"
    )
    # One pass, so that nothing in a part is taken for the place of another.
    text = re.sub(r"{{([a-z.]+)}}", lambda found: parts[found[1]], _asset("map.html"))
    path.write_text(text, encoding="utf-8")


def _hit_json(hit: Hit, shape: Polygon | MultiPolygon, crosses_180: bool) -> dict[str, Any]:
    """Describe a hit for the page. Outlines are simplified to a five-hundredth of the tile: no eye sees that."""
    whole = shapely.union_all([Polygon(_unwrapped(part.exterior, crosses_180)) for part in shapely.get_parts(shape)])
    simple = shapely.get_parts(shapely.simplify(whole, np.sqrt(whole.area) / 500))
    rings = [shapely.get_coordinates(part.exterior).tolist() for part in simple]
    middle = shapely.total_bounds([shapely.LinearRing(ring) for ring in rings])
    return {
        **attributes(hit),
        "rings": rings,
        "centre": [round(float(middle[0] + middle[2]) / 2, 6), round(float(middle[1] + middle[3]) / 2, 6)],
        "picture": data_url(hit.thumbnail),
        "corners": _corners(hit, crosses_180),
        "partners": [
            {**values, "line": [_unwrapped(part, crosses_180) for part in shapely.get_parts(line)]}
            for line, values in partner_lines(hit)
        ],
    }


def _unwrapped(line: BaseGeometry, crosses_180: bool) -> list[list[float]]:
    """Points; those west of the antimeridian's far side go on beyond 180 where the hits lie about it."""
    points = shapely.get_coordinates(line).round(6)
    if crosses_180 and points[:, 0].min() < 0:
        points[:, 0] += 360
    return [[float(x), float(y)] for x, y in points]


def _corners(hit: Hit, crosses_180: bool) -> list[list[float]] | None:
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
    return [_unwrapped(shapely.Point(point), crosses_180)[0] for point in (top, beside, below)]


@cache
def _asset(name: str) -> str:
    return bundled_file("map", name).read_text(encoding="utf-8")


def _hashes(texts: Any) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
