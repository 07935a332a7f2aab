"""Draw answers as rows of pictures: `python docs/draw_answers.py STORE PICTURE QUESTION ...`.

Each row has the best tiles for a question, with score and probability; of each place the best, as a search has them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

import geocmer

HITS, SIDE, GAP, LINE = 7, 150, 6, 22
INK, SOFT = (25, 35, 45), (90, 100, 110)


def likely(p: float | None) -> str:
    """Word a probability; 0 % is what nobody can know."""
    return "" if p is None else ", <1 %" if p < 0.01 else f", {p:.0%}"


def draw(store: Path, questions: list[str]) -> Image.Image:
    """Ask a store and draw what it answers."""
    tiles = geocmer.open(store)
    height = 2 * LINE + SIDE + GAP
    page = Image.new("RGB", (HITS * (SIDE + GAP) + GAP, len(questions) * height + GAP), "white")
    pen: Any = ImageDraw.Draw(page)
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    for row, question in enumerate(questions):
        top = row * height + GAP
        pen.text((GAP, top), f"“{question}”", INK, font)
        for column, hit in enumerate(tiles.search(question, k=HITS)):
            left = GAP + column * (SIDE + GAP)
            page.paste(hit.image().resize((SIDE, SIDE), Image.Resampling.BICUBIC), (left, top + LINE))
            pen.text((left, top + LINE + SIDE + 3), f"{hit.score:.2f}{likely(hit.probability)}", SOFT, small)
    return page


if __name__ == "__main__":
    draw(Path(sys.argv[1]), sys.argv[3:]).save(sys.argv[2], quality=82, method=6)
