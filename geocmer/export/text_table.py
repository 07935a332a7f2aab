"""Hits as `print` shows them: an aligned table of the first ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..search.probability import percent
from ..search.results import Answer, Hit

MAX_PRINTED_HITS = 20
"""Hits in the table; more go into a file, or into a DataFrame."""


def text_table(answer: Answer, title: str = "") -> str:
    """Describe an answer in lines: how many hits, and rank, score, probability, tile, category and place of the first.

    What a user named is printed without the signs that steer a terminal.
    """
    shown = answer[:MAX_PRINTED_HITS]
    heading = count_hits(len(answer)) + (f" for {title!r}" if title else "") + ":" * bool(shown)
    rows = [("rank", "score", "probability", "tile", "category", "centre (lon, lat)", "scene"), *map(_cells, shown)]
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in zip(*columns, strict=True)]
    more = [f"... and {len(answer) - len(shown)} more"] if len(answer) > len(shown) else []
    return "\n".join([heading, *lines, *more])


def count_hits(count: int) -> str:
    """Write how many hits there are."""
    return f"{count} hit{'s' * (count != 1)}"


def _cells(hit: Hit) -> Sequence[str]:
    centre = hit.geometry.centroid
    cells = (
        str(hit.rank),
        "" if hit.score is None else f"{hit.score:.3f}",
        "" if hit.probability is None else percent(hit.probability),
        hit.id[:8],
        hit.category or "",
        f"{centre.x:.5f}, {centre.y:.5f}",
        Path(hit.uri or "").name,
    )
    return ["".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in cell) for cell in cells]
