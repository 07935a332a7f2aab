"""The charts of the concept pages, drawn from the tables of the docs: a figure that changes there changes here."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

DOCS = Path(__file__).parent
WIDTH, LABEL, LINE, HEAD = 760, 190, 26, 34
INK, SOFT, BAR, OURS = "#16202b", "#53606d", "#b9c6d3", "#0b5cad"
FONT = 'font-family="system-ui, DejaVu Sans, sans-serif"'

SECONDS = ("1 ms", "10 ms", "0.1 s", "1 s", "10 s", "2 min", "17 min", "3 h", "28 h", "12 d")
"""Powers of ten, from a thousandth of a second on."""

STEPS = {"search": OURS, "embedding": "#7a4fa3", "change": "#b3261e", "writing": "#2f7d4f"}

Bar = tuple[str, float, str]
"""Label, value, and how the value is written."""


def table(page: str, after: str) -> list[list[str]]:
    """Read the first table of a page behind a text, its head first; bold is left out."""
    text = (DOCS / page).read_text(encoding="utf-8").split(after, 1)[1]
    (rows,) = re.findall(r"\n((?:\|.*\n)+)", text)[:1]
    cells = [[cell.strip().replace("**", "") for cell in row.strip("|\n").split("|")] for row in rows.split("\n")[:-1]]
    return [cells[0], *cells[2:]]


def side_branch() -> str:
    """Memory and speed of the ways to train the same towers."""
    head, *rows = table("guides/training.md", "Two cores that did nothing else, `--batches 32")
    memory, speed = head.index("training memory, MB"), head.index("samples/s")
    return _svg(
        "Ways to train the same towers, batches of 32 on a CPU",
        [
            ("training memory, MB", [(row[0], float(row[memory]), row[memory]) for row in rows], False),
            ("pictures a second", [(row[0], float(row[speed]), row[speed]) for row in rows], True),
        ],
        "cmer",
    )


def exact() -> str:
    """What an index loses under a filter, and what exact search costs."""
    _, *found = table("decisions/exact-search.md", "saying so.")
    head, *speed = table("decisions/exact-search.md", "**Measured.**")
    panels: list[tuple[str, Sequence[Bar], bool]] = [
        (
            f"{row[0]}: share of the ten best that is found",
            _bars(["exact", "index", "rank, then filter"], row[1:]),
            False,
        )
        for row in found
    ]
    panels += [(f"{row[0]}: milliseconds", _bars(head[1:], row[1:]), False) for row in speed]
    return _svg("A million tiles, the ten best", panels, "exact", "geocmer")


def _bars(names: Sequence[str], values: Sequence[str]) -> list[Bar]:
    return [(name, float(value), value) for name, value in zip(names, values, strict=True)]


def _svg(title: str, panels: Sequence[tuple[str, Sequence[Bar], bool]], *ours: str) -> str:
    """Draw panels of bars below each other; in a logarithmic one a bar is as long as its value has digits."""
    parts, y = [], 8
    for name, bars, logarithmic in panels:
        parts.append(f'<text x="8" y="{y + 20}" font-weight="600" fill="{INK}">{escape(name)}</text>')
        y += HEAD
        values = [math.log10(value) + 0.1 if logarithmic else value for _, value, _ in bars]
        for (label, _, written), value in zip(bars, values, strict=True):
            long = max(2, (WIDTH - LABEL - 90) * value / max(values))
            colour = OURS if any(label.startswith(one) for one in ours) else BAR
            parts.append(
                f'<text x="{LABEL - 10}" y="{y + 14}" text-anchor="end" fill="{SOFT}">{escape(label)}</text>'
                f'<rect x="{LABEL}" y="{y + 2}" width="{long:.0f}" height="{LINE - 9}" rx="2" fill="{colour}"/>'
                f'<text x="{LABEL + long + 6:.0f}" y="{y + 14}" fill="{INK}">{escape(written)}</text>'
            )
            y += LINE
        y += 12
    return page(title, y, parts)


def page(title: str, height: int, parts: Sequence[str]) -> str:
    """Put parts into an SVG on white, as wide as all of them."""
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-size="13" {FONT} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *parts,
        "</svg>\n",
    ])  # fmt: skip


def cost() -> str:
    """Seconds of the steps by the number of tiles: what was measured as dots, the rest in proportion."""
    left, top, right, height = 70, 20, 560, 400
    low, high = (3, -3), (7, 6)

    def at(tiles: float, seconds: float) -> tuple[float, float]:
        x = left + (right - left) * (math.log10(tiles) - low[0]) / (high[0] - low[0])
        return x, top + height * (high[1] - math.log10(seconds)) / (high[1] - low[1])

    parts = []
    for power in range(low[0], high[0] + 1):
        x, y = at(10**power, 10 ** low[1])
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{top}" y2="{y:.0f}" stroke="#e3e8ec"/>')
        parts.append(f'<text x="{x:.0f}" y="{y + 18:.0f}" text-anchor="middle" fill="{SOFT}">{10**power:,}</text>')
    for power, said in zip(range(low[1], high[1] + 1), SECONDS, strict=True):
        _, y = at(10 ** low[0], 10**power)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.0f}" y2="{y:.0f}" stroke="#e3e8ec"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end" fill="{SOFT}">{said}</text>')
    for name, cells, _ in table("concepts/cost.md", "## What was measured")[1:]:
        measured = [(float(n.replace(",", "")), float(s)) for n, s in re.findall(r"([\d,]+):([\d.]+)", cells)]
        tiles, seconds = measured[-1]
        first = measured[0] if len(measured) > 1 else (10 ** low[0], seconds * 10 ** low[0] / tiles)
        points = [first, *measured[1:], (10 ** high[0], seconds * 10 ** high[0] / tiles)]
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in [at(*one) for one in points])
        colour = STEPS[name.split()[0].strip(",")]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        dots = [at(*one) for one in measured if one[0] >= 10 ** low[0]]
        parts += [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="{colour}"/>' for x, y in dots]
        x, y = at(*points[-1])
        parts.append(f'<text x="{x + 8:.0f}" y="{y + 4:.0f}" fill="{colour}">{escape(name)}</text>')
    parts.append(
        f'<text x="{(left + right) / 2:.0f}" y="{top + height + 40}" text-anchor="middle" fill="{SOFT}">tiles</text>'
    )
    return page("Seconds of each step by the number of tiles", top + height + 56, parts)
