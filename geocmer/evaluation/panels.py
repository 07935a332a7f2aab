"""Retrieval panels: for each question a row of pictures, the best and the first wrong, framed green and red."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._files import write_atomically
from ..errors import InputError
from ..imagery.images import resize_to_square

if TYPE_CHECKING:
    from ..datasets.pairs import PairSet

BEST_IMAGES, WRONG_IMAGES = 6, 2
"""Pictures in a row: the best, then the first wrong ones after them."""
PANEL_CAPTIONS = 12
"""Captions of a captioned set that are drawn, each of another image."""
_SIDE_PX, _FRAME_PX, _GAP_PX, _LINE_PX = 112, 4, 6, 22
_RIGHT, _WRONG, _TEXT_COLOUR = (40, 150, 60), (200, 50, 40), (40, 40, 40)


@dataclass(frozen=True, slots=True)
class Answer:
    """A picture, uint8 RGB (side, side, 3), its rank from 1, and whether it is right."""

    pixels: NDArray[np.uint8]
    rank: int
    right: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """A question with its best answers, the best first, and the first wrong ones after them."""

    question: str
    answers: Sequence[Answer]


def panel_of(question: str, ranked: NDArray[np.bool_], pixels: Callable[[int], NDArray[np.uint8]]) -> Panel:
    """Take the best answers to a question, and the first wrong ones after them.

    Args:
        question: in words.
        ranked: whether each answer is right, the best first, (n,).
        pixels: reads the picture of the answer at a position, from 0.
    """
    wrong = BEST_IMAGES + np.flatnonzero(~ranked[BEST_IMAGES:])[:WRONG_IMAGES]
    chosen = [*range(min(BEST_IMAGES, len(ranked))), *wrong.tolist()]
    return Panel(question, [Answer(pixels(i), i + 1, bool(ranked[i])) for i in chosen])


def class_panels(
    pairs: PairSet, words: Sequence[str], similarity: NDArray[np.float32], correct: NDArray[np.bool_]
) -> list[Panel]:
    """Take the best images for the words of each class of a labelled set; see `class_retrieval.class_scores`."""
    panels = []
    for c, text in enumerate(words):
        order = np.argsort(-similarity[:, c], kind="stable")
        panels.append(panel_of(text, correct[order, c], _reader(pairs, order)))
    return panels


def caption_panels(
    pairs: PairSet, similarity: NDArray[np.float32], owner: NDArray[np.int64], seed: int = 0
) -> list[Panel]:
    """Take the best images for some captions of a captioned set; only the caption's own image counts as right.

    Args:
        pairs: the set.
        similarity: cosines (images, captions).
        owner: index of each caption's image, (captions,).
        seed: of the choice of images, and of one caption each.
    """
    rng, texts = np.random.default_rng(seed), pairs.captions()[0]
    chosen = rng.choice(len(pairs), min(PANEL_CAPTIONS, len(pairs)), replace=False)
    panels = []
    for image in chosen:
        caption = int(rng.choice(np.flatnonzero(owner == image)))
        order = np.argsort(-similarity[:, caption], kind="stable")
        panels.append(panel_of(texts[caption], order == image, _reader(pairs, order)))
    return panels


def write_panels(panels: Sequence[Panel], folder: Path, name: str) -> Path:
    """Write panels to a JPEG in a folder, named after the set; return its path.

    Raises:
        InputError: nothing can be written there.
    """
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-")
    path = folder / f"{plain or 'panels'}.jpg"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, draw_panels(panels))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; give another --panels") from error
    return path


def draw_panels(panels: Sequence[Panel]) -> bytes:
    """Draw a JPEG: under each question its answers from left to right, the first wrong ones beyond a gap."""
    from PIL import Image, ImageDraw, ImageFont

    cell, font = _SIDE_PX + 2 * _FRAME_PX, ImageFont.load_default(13)
    columns = BEST_IMAGES + WRONG_IMAGES
    width = columns * (cell + _GAP_PX) + 2 * _GAP_PX
    page = Image.new("RGB", (width, len(panels) * (_LINE_PX + cell + _GAP_PX) + _GAP_PX), "white")
    pen: Any = ImageDraw.Draw(page)
    for row, panel in enumerate(panels):
        top = row * (_LINE_PX + cell + _GAP_PX) + _GAP_PX
        best = [answer.right for answer in panel.answers if answer.rank <= BEST_IMAGES]
        note = f"{sum(best)} of {len(best)} right"
        wrong = [answer.rank for answer in panel.answers if answer.rank > BEST_IMAGES]
        note += f"; then wrong at {' and '.join(map(str, wrong))}" if wrong else ""
        pen.text((width - _GAP_PX, top + 3), note, _TEXT_COLOUR, font, anchor="ra")
        room = width - 4 * _GAP_PX - pen.textlength(note, font)
        question = _shorten(panel.question, room, lambda text: pen.textlength(text, font))
        pen.text((_GAP_PX, top + 3), question, _TEXT_COLOUR, font)
        for column, answer in enumerate(panel.answers):
            left = column * (cell + _GAP_PX) + _GAP_PX * (1 + (answer.rank > BEST_IMAGES))
            page.paste(_RIGHT if answer.right else _WRONG, (left, top + _LINE_PX, left + cell, top + _LINE_PX + cell))
            image = Image.fromarray(resize_to_square(answer.pixels, _SIDE_PX))
            page.paste(image, (left + _FRAME_PX, top + _LINE_PX + _FRAME_PX))
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=88, subsampling=0)  # a tenth of a PNG's size
    return buffer.getvalue()


def _reader(pairs: PairSet, order: NDArray[np.int64]) -> Callable[[int], NDArray[np.uint8]]:
    return lambda position: pairs.pairs[int(order[position])].image.pixels(_SIDE_PX)


def _shorten(text: str, room: float, length: Callable[[str], float]) -> str:
    """Cut a text to a width in pixels."""
    if length(text) <= room:
        return text
    while text and length(f"{text}...") > room:
        text = text[:-1]
    return f"{text.rstrip()}..."
