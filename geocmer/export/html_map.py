"""A map page: one HTML file with the hits, their pictures and the map library inside, that opens without a network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from .._files import bundled_file
from ..errors import InputError
from ..search.results import Hit
from ..search.tile_lookup import find_tiles
from ..store.snapshot import Snapshot
from .options import ExportOptions
from .outline import Ring, outlines, unwrapped
from .record import attributes, data_url, spot_feature
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
    hits = [hit for hit, _ in found]
    bounds = stream.bbox() if found else None
    crosses_180 = bounds is not None and bounds[0] > bounds[2]
    if bounds is not None and crosses_180:
        bounds[2] += 360
    rings = outlines(np.array([shape for _, shape in found], dtype=object), beyond_180=crosses_180)
    content = {
        "hits": [_hit_json(hit, ring, crosses_180) for hit, ring in zip(hits, rings, strict=True)],
        "partners": _partners(hits, options.source, crosses_180),
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


def _hit_json(hit: Hit, rings: list[Ring], crosses_180: bool) -> dict[str, Any]:
    """Describe a hit for the page."""
    middle = shapely.total_bounds([shapely.LinearRing(ring) for ring in rings])
    spot = spot_feature(hit)
    return {
        **attributes(hit),
        "rings": rings,
        "centre": [round(float(middle[0] + middle[2]) / 2, 6), round(float(middle[1] + middle[3]) / 2, 6)],
        "picture": data_url(hit.thumbnail),
        "corners": _corners(hit, crosses_180),
        "spots": [unwrapped(part.exterior, crosses_180) for part in shapely.get_parts(spot[0])] if spot else [],
        "partners": [
            {
                **partner.attributes(),
                "line": [unwrapped(part, crosses_180) for part in shapely.get_parts(partner.line)]
                if partner.line
                else [],
            }
            for partner in hit.partners
        ],
    }


def _partners(hits: Sequence[Hit], source: Snapshot | None, crosses_180: bool) -> dict[str, Any]:
    """Describe the partners of all hits by id, each once: its outline, and its picture if the store is at hand."""
    partners = {partner.id: partner for hit in hits for partner in hit.partners}
    tiles = find_tiles(source, partners) if source and partners else {}
    rings = outlines(
        np.array([partner.geometry for partner in partners.values()], dtype=object), beyond_180=crosses_180
    )
    return {
        name: {
            "rings": ring,
            "picture": data_url(tiles[name].thumbnail) if name in tiles else None,
            "corners": _corners(tiles[name], crosses_180) if name in tiles else None,
        }
        for name, ring in zip(partners, rings, strict=True)
    }


def _corners(hit: Hit, crosses_180: bool) -> list[list[float]] | None:
    """Find where the picture's first, second and third corner lie: top left, top right, bottom left; None if not known.

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
    return [unwrapped(shapely.Point(point), crosses_180)[0] for point in (top, beside, below)]


@cache
def _asset(name: str) -> str:
    return bundled_file("map", name).read_text(encoding="utf-8")


def _hashes(texts: Any) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
