"""Hits as a notebook shows them: thumbnails with their scores beside a small map, in HTML without scripts."""

from __future__ import annotations

import html

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ..search.probability import percent
from ..search.results import Answer, Hit
from .qgis_style import SCORE_COLOURS, UNSCORED_COLOUR
from .record import data_url
from .text_table import count_hits

MAX_SHOWN_HITS = 24
"""Hits in a notebook's output; more belong on a map page."""
MAP_PX = 320
MAP_MARGIN = 0.08
"""Of the map's side, left free around the hits."""
MIN_MARK_PX = 4.0
"""Hits smaller than this on the map get a dot of it, or nobody would see them."""


def html_summary(answer: Answer, title: str = "") -> str:
    """Describe an answer in HTML: the first hits as pictures, all of these on a map, and how they were found."""
    shown = answer[:MAX_SHOWN_HITS]
    more = f", the first {len(shown)} shown" if len(answer) > len(shown) else ""
    heading = f"{html.escape(title)}: " if title else ""
    figures = "".join(_figure(hit) for hit in shown)
    return (
        f"<div><p><b>{heading}{count_hits(len(answer))}{more}</b><br><small>{html.escape(answer.plan.lines()[0])}</small></p>"
        f'<div style="display:flex;flex-wrap:wrap;gap:8px;align-items:flex-start">{_map(shown)}{figures}</div></div>'
    )


class MapFrame:
    """The map page of hits in a notebook's output: it fetches nothing, and sees nothing of the notebook."""

    def __init__(self, page: str, height: int) -> None:
        self._page, self._height = page, height

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self._page)}" sandbox="allow-scripts" title="map of the hits"'
            f' style="width:100%;height:{self._height}px;border:1px solid #8a8f98"></iframe>'
        )


def _figure(hit: Hit) -> str:
    source = data_url(hit.thumbnail)
    image = f'<img src="{html.escape(source)}" style="width:96px;height:96px" alt="">' if source else ""
    score = "" if hit.score is None else f" {hit.score:.3f}"
    if hit.probability is not None:
        score += f"<br>{percent(hit.probability).replace(' ', '&nbsp;')}"
    about = "; ".join([hit.category or "", *(partner.relation for partner in hit.partners)]).strip("; ")
    caption = f"<b>{hit.rank}</b>{score}<br>{html.escape(about)}"
    name = html.escape(f"{hit.id} {hit.uri or ''}")
    return f'<figure style="margin:0;width:96px" title="{name}">{image}<figcaption>{caption}</figcaption></figure>'


def _map(hits: list[Hit]) -> str:
    """Draw footprints as SVG, coloured by score, on an equirectangular plane true to scale in their middle."""
    if not hits:
        return ""
    shapes = np.array([hit.geometry for hit in hits], dtype=object)
    lon = shapely.get_coordinates(shapes)[:, 0]
    if np.ptp(lon) > 180:  # they lie about the antimeridian: the eastern side goes on beyond 180
        shapes = shapely.transform(shapes, lambda xy: np.column_stack([xy[:, 0] + 360 * (xy[:, 0] < 0), xy[:, 1]]))
    west, south, east, north = shapely.total_bounds(shapes)
    shrink = max(np.cos(np.radians((south + north) / 2)), 0.01)
    side = max((east - west) * shrink, north - south, 1e-9)
    scale = MAP_PX * (1 - 2 * MAP_MARGIN) / side
    middle = (west + east) / 2, (south + north) / 2

    def to_pixels(xy: np.ndarray) -> np.ndarray:
        x, y = (xy[:, 0] - middle[0]) * shrink, middle[1] - xy[:, 1]
        return np.column_stack([x, y]) * scale + MAP_PX / 2

    drawn = [_mark(hit, shape, colour) for hit, shape, colour in
             zip(hits, shapely.transform(shapes, to_pixels), _colours(hits), strict=True)]  # fmt: skip
    lon_east = east - 360 if east > 180 else east
    extent = f"{west:.4f}, {south:.4f} to {lon_east:.4f}, {north:.4f}"
    return (
        f'<figure style="margin:0"><svg width="{MAP_PX}" height="{MAP_PX}" viewBox="0 0 {MAP_PX} {MAP_PX}"'
        f' style="background:#eef2f5" role="img" aria-label="map of the hits">{"".join(reversed(drawn))}</svg>'
        f"<figcaption><small>{extent} (WGS84)</small></figcaption></figure>"
    )


def _mark(hit: Hit, shape: BaseGeometry, colour: str) -> str:
    """Draw one footprint, named for the mouse."""
    west, south, east, north = shape.bounds
    title = f"<title>{hit.rank}. {html.escape(hit.category or hit.id[:8])}</title>"
    if max(east - west, north - south) < MIN_MARK_PX:
        x, y = (west + east) / 2, (south + north) / 2
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{MIN_MARK_PX / 2}" fill="{colour}">{title}</circle>'
    path = "".join(
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in shapely.get_coordinates(part.exterior)) + "Z"
        for part in shapely.get_parts(shape)
    )
    return f'<path d="{path}" fill="{colour}" fill-opacity="0.45" stroke="{colour}">{title}</path>'


def _colours(hits: list[Hit]) -> list[str]:
    """Give each hit the colour of its score, as the QGIS style and the map page do."""
    scores = [hit.score for hit in hits if hit.score is not None]
    if not scores:
        return [UNSCORED_COLOUR] * len(hits)
    low, span = min(scores), max(max(scores) - min(scores), 1e-9)
    last = len(SCORE_COLOURS) - 1
    steps = [0.0 if hit.score is None else (hit.score - low) / span for hit in hits]
    return [SCORE_COLOURS[min(int(step * len(SCORE_COLOURS)), last)] for step in steps]
