"""A chart of a series: probability over time, drawn with Pillow, as one line needs no plotting library."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from ..search.series import Observation

WIDTH, HEIGHT = 1000, 420
LEFT, TOP, RIGHT, BOTTOM = 70, 50, 30, 50
"""Margins, pixels."""
TEXT, GRID, LINE, DOTS = (40, 40, 40), (222, 222, 222), (31, 119, 180), (150, 180, 205)
DOT_STEP = 8
"""Pixels between the dots of a line."""
MAX_TICKS = 10
_BEGIN, _END = (datetime(*day, tzinfo=UTC).timestamp() for day in ((1, 1, 1), (9999, 12, 31)))
"""The first and the last day that can be named: some catalogs write the last for what has no end."""


def draw_series(title: str, place: tuple[float, float], observations: Sequence[Observation]) -> bytes:
    """Draw a PNG."""
    from PIL import Image, ImageDraw, ImageFont

    chart = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen, font = ImageDraw.Draw(chart), ImageFont.load_default(14)
    times = [min(observation.datetime.timestamp(), _END) for observation in observations]
    first, last = min(times, default=0.0), max(times, default=1.0)
    if last == first:
        first, last = max(_BEGIN, first - 43_200), min(_END, last + 43_200)  # a day around one picture

    def at(time: float, p: float) -> tuple[float, float]:
        x = LEFT + (time - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - p * (HEIGHT - TOP - BOTTOM)

    lon, lat = place
    pen.text((LEFT, 14), f"{title!r} at {lon:g}, {lat:g}: probability", TEXT, ImageFont.load_default(17))
    for share in (0, 0.25, 0.5, 0.75, 1.0):
        pen.line([at(first, share), at(last, share)], GRID)
        pen.text((LEFT - 8, at(first, share)[1]), f"{share:.0%}", TEXT, font, anchor="rm")
    for time, label in _ticks(first, last):
        x, y = at(time, 0)
        pen.line([(x, y), (x, y + 5)], TEXT)
        pen.text((x, y + 9), label, TEXT, font, anchor="ma")
    points = [at(time, observation.probability) for time, observation in zip(times, observations, strict=True)]
    for start, end in pairwise(points):  # dotted: what the place showed between two pictures is not known
        steps = max(1, round(math.dist(start, end) / DOT_STEP))
        for part in range(1, steps):
            x, y = (a + (b - a) * part / steps for a, b in zip(start, end, strict=True))
            pen.ellipse([x - 1, y - 1, x + 1, y + 1], DOTS)
    for x, y in points:
        pen.ellipse([x - 4, y - 4, x + 4, y + 4], LINE)
    buffer = io.BytesIO()
    chart.save(buffer, "PNG")
    return buffer.getvalue()


def _ticks(first: float, last: float) -> list[tuple[float, str]]:
    """Choose at most `MAX_TICKS` moments with their labels: years, or months, or else days."""
    start, end = (datetime.fromtimestamp(time, UTC) for time in (first, last))
    years = [datetime(year, 1, 1, tzinfo=UTC) for year in range(start.year, end.year + 1)]
    months = [datetime(year.year, month, 1, tzinfo=UTC) for year in years for month in range(1, 13)]
    for marks, form in ((years, "%Y"), (months, "%Y-%m")):
        inside = [mark for mark in marks if start <= mark <= end]
        if len(inside) >= 2:
            step = -(-len(inside) // MAX_TICKS)
            return [(mark.timestamp(), mark.strftime(form)) for mark in inside[::step]]
    spread = [first + (last - first) * part / 4 for part in range(5)]
    return [(time, datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")) for time in spread]
