"""An SVG of a graph in layers: boxes in rows, and arrows that lead down between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise

WIDTH, ROW, BOX_HEIGHT, GAP, LANE = 860, 84, 34, 34, 26
"""Pixels: of the picture, from row to row, of a box, between boxes, of an arrow that passes a row."""
SWEEPS = 8

_STYLE = """
svg { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.layer { fill: #eef2f6; }
.box { fill: #fff; stroke: #5b7a99; stroke-width: 1.5; }
text { fill: #16202b; text-anchor: middle; dominant-baseline: central; }
.arrow { fill: none; stroke: #5b7a99; stroke-width: 1.5; marker-end: url(#head); }
"""

Lane = tuple[str, str, int]
"""An arrow from one box to another, where it passes a row."""


def draw(layers: Sequence[Sequence[str]], arrows: Mapping[str, Sequence[str]], title: str) -> str:
    """Draw a graph.

    Args:
        layers: names of the boxes, row by row from the top.
        arrows: box -> the boxes that it points to, in its own row or below.
        title: what the picture shows, for those who do not see it.
    """
    row_of = {name: at for at, layer in enumerate(layers) for name in layer}
    rows: list[list[str | Lane]] = [list(layer) for layer in layers]
    for start, ends in arrows.items():
        for end in ends:
            for at in range(row_of[start] + 1, row_of[end]):
                rows[at].append((start, end, at))
    _order(rows, arrows)
    x = {item: place for row in rows for item, place in _places(row)}
    height = len(rows) * ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#5b7a99"/></marker></defs>',
    ]
    parts += [
        f'<rect class="layer" x="4" y="{at * ROW + 12}" width="{WIDTH - 8}" height="{ROW - 24}" rx="8"/>'
        for at in range(len(rows))
    ]
    for start, ends in arrows.items():
        for end in ends:
            path = _path(start, end, row_of, x)
            parts.append(f'<path class="arrow" data-from="{start}" data-to="{end}" d="{path}"/>')
    for name, at in row_of.items():
        left, wide = x[name] - _width(name) / 2, _width(name)
        y = at * ROW + (ROW - BOX_HEIGHT) / 2
        parts.append(
            f'<rect class="box" x="{left:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{BOX_HEIGHT}" rx="6"/>'
            f'<text x="{x[name]:.0f}" y="{y + BOX_HEIGHT / 2:.0f}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _width(item: str | Lane) -> float:
    return 9.0 * len(item) + 26 if isinstance(item, str) else LANE


def _places(row: Sequence[str | Lane]) -> Iterator[tuple[str | Lane, float]]:
    """Put the middle of each thing of a row beside the other, the whole in the middle."""
    gap = GAP if len(row) > 1 else 0
    left = (WIDTH - sum(_width(item) for item in row) - gap * (len(row) - 1)) / 2
    for item in row:
        yield item, left + _width(item) / 2
        left += _width(item) + gap


def _order(rows: list[list[str | Lane]], arrows: Mapping[str, Sequence[str]]) -> None:
    """Order each row by the mean place of what its things are joined to, down and up in turns (Sugiyama)."""
    joined: dict[str | Lane, set[str | Lane]] = {item: set() for row in rows for item in row}
    in_row = [set(row) for row in rows]
    for start, ends in arrows.items():
        for end in ends:
            passed = [(start, end, at) for at, row in enumerate(in_row) if (start, end, at) in row]
            for above, below in pairwise([start, *passed, end]):
                joined[above].add(below)
                joined[below].add(above)
    for sweep in range(SWEEPS):
        order = range(len(rows)) if sweep % 2 == 0 else reversed(range(len(rows)))
        for at in order:
            x = {item: place for row in rows for item, place in _places(row)}
            near = {item: [x[other] for other in joined[item] if other not in in_row[at]] for item in rows[at]}
            rows[at].sort(key=lambda item: sum(near[item]) / len(near[item]) if near[item] else x[item])


def _path(start: str, end: str, row_of: Mapping[str, int], x: Mapping[str | Lane, float]) -> str:
    """Lead an arrow from the foot of a box through its lanes to the head of another; within a row below both."""
    top, bottom = row_of[start], row_of[end]
    low = top * ROW + (ROW + BOX_HEIGHT) / 2
    if top == bottom:
        aside = 20 if x[end] > x[start] else -20
        x0, x1 = x[start] + aside, x[end] - aside
        return f"M{x0:.0f} {low:.0f} C{x0:.0f} {low + 22:.0f} {x1:.0f} {low + 22:.0f} {x1:.0f} {low + 2:.0f}"
    points = [(x[start], low)]
    for at in range(top + 1, bottom):
        points += [(x[start, end, at], at * ROW + 12.0), (x[start, end, at], (at + 1) * ROW - 12.0)]
    points.append((x[end], bottom * ROW + (ROW - BOX_HEIGHT) / 2 - 1))
    path = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        path += f" C{x0:.0f} {middle:.0f} {x1:.0f} {middle:.0f} {x1:.0f} {y1:.0f}"
    return path
