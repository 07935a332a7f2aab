"""Hits as a table on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .console import printable

if TYPE_CHECKING:
    from geocmer.search.results import Hit


def print_table(hits: Iterable[Hit]) -> None:
    """Print the hits; what a user named may hold square brackets, which are no markup."""
    from rich.console import Console
    from rich.table import Table

    shown, console = list(hits), Console(markup=False, highlight=False)
    likely, related = any(hit.probability is not None for hit in shown), any(hit.partners for hit in shown)
    table = Table("rank", "score", *(["probability"] * likely), "tile", "category", "centre (lon, lat)", "scene")
    table.add_column("row, col")
    if related:
        table.add_column("partner")
    located = any(hit.spot for hit in shown)
    if located:
        table.add_column("found at (lon, lat)")
    for hit in shown:
        centre = hit.geometry.centroid
        cells = [
            str(hit.rank),
            f"{hit.score:.3f}",
            *([_probability(hit)] if likely else []),
            hit.id[:8],
            hit.category or "",
            f"{centre.x:.5f}, {centre.y:.5f}",
            Path(hit.uri or "").name,
            f"{hit.row}, {hit.col}",
            *([_partners(hit)] if related else []),
            *([_spot(hit)] if located else []),
        ]
        table.add_row(*map(printable, cells))
    unbounded = console.options.update(max_width=10_000)
    if console.measure(table, options=unbounded).maximum <= console.width:
        console.print(table)
        return
    for hit in shown:  # cells would be broken into pieces of a few letters
        console.print(printable(_lines(hit)), soft_wrap=True)


def _lines(hit: Hit) -> str:
    """Describe a hit for a narrow terminal: short lines, nothing left out that tells hits apart."""
    centre = hit.geometry.centroid
    words = (f"{hit.rank}.", f"{hit.score:.3f}", _probability(hit), hit.id[:8], hit.category or "")
    first = " ".join(filter(None, words))
    second = f"   {centre.x:.5f}, {centre.y:.5f} {Path(hit.uri or '').name}".rstrip()
    spot = [f"   found at {_spot(hit)}"] if hit.spot else []
    return "\n".join([first, second, *spot, *(f"   {line}" for line in _partners(hit).splitlines())])


def _spot(hit: Hit) -> str:
    return f"{hit.spot.point[0]:.5f}, {hit.spot.point[1]:.5f}" if hit.spot else ""


def _probability(hit: Hit) -> str:
    from geocmer.search.probability import percent

    return "" if hit.probability is None else percent(hit.probability)


def _partners(hit: Hit) -> str:
    """Tell the distance of each partner, and where it lies."""
    lines = []
    for partner in hit.partners:
        where = "same tile"
        if partner.id != hit.id:
            centre = partner.geometry.centroid
            where = f"{partner.distance_m:,.0f} m, at {centre.x:.5f}, {centre.y:.5f}"
        lines.append(f"{partner.relation}: {where}")
    return "\n".join(lines)
