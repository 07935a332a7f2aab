"""Thumbnails of hits on a terminal: as pictures in iTerm2, kitty and where there is sixel, in half blocks elsewhere."""

from __future__ import annotations

import base64
import io
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from .console import printable, say

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

    from geocmer.search.results import Hit

MAX_PREVIEWED_HITS = 60
"""More of them scroll away before anybody looks."""
CELLS = 20
"""Width of a thumbnail in characters."""
GAP = 2
"""Characters between two thumbnails."""
SIXEL_TERMINALS = {"WezTerm", "mintty", "foot", "mlterm", "contour", "yaft"}
"""What they call themselves in TERM_PROGRAM or TERM; Windows Terminal and Konsole have variables of their own."""
_CELL_PIXELS = 8
"""Pixels that stand for a character's width; the terminal scales them."""


class InlineImage:
    """A picture by the escape sequence of iTerm2, OSC 1337, which WezTerm and others know too.

    Args:
        image: a PIL image.
        width: characters.
        height: `auto`: in proportion.
    """

    def __init__(self, image: Any, width: int, height: str) -> None:
        self._image, self._width, self._height = image, width, height

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import ControlType, Segment

        file = io.BytesIO()
        self._image.save(file, "PNG")
        size = f"size={len(file.getbuffer())};width={self._width};height={self._height};inline=1"
        text = f"\x1b]1337;File={size}:{base64.b64encode(file.getbuffer()).decode()}\x07\n"
        yield Segment(text, control=[(ControlType.CURSOR_FORWARD, 0)])  # nothing that rich would measure or wrap


def print_previews(
    hits: Iterable[Hit], console: Console | None = None, image: Any = None, *, as_json: bool = False
) -> None:
    """Print the thumbnails of the first hits in rows, each with its rank and score below it.

    Args:
        hits: the best first.
        console: where to; by default stdout.
        image: the class of `textual_image.renderable` that draws; by default what the terminal understands.
        as_json: stdout holds JSON, which pictures would spoil.
    """
    from rich.console import Console

    console = console or Console(highlight=False)
    if as_json or not console.is_terminal:
        say("no previews: stdout is no terminal, or --json goes to it; write -o hits.html to look at the hits")
        return
    if image is None:
        if not all(shutil.get_terminal_size((0, 0))):
            say("no previews: this terminal does not say how large it is; write -o hits.html to look at the hits")
            return
        image = _image_class()
        if image.__module__.endswith("halfcell") and (console.no_color or console.is_dumb_terminal):
            say("no previews: this terminal shows no pictures, and blocks need colours; write -o hits.html instead")
            return
    shown = list(islice(hits, MAX_PREVIEWED_HITS + 1))
    per_row = max(1, (console.width + GAP) // (CELLS + GAP))
    first = shown[:MAX_PREVIEWED_HITS]
    for start in range(0, len(first), per_row):
        row = first[start : start + per_row]
        console.print(image(_strip(row), width=len(row) * (CELLS + GAP) - GAP, height="auto"))
        console.print(
            "".join(_caption(hit).ljust(CELLS + GAP) for hit in row).rstrip(),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if len(shown) > MAX_PREVIEWED_HITS:
        say(f"previews of the first {MAX_PREVIEWED_HITS} hits; write -o hits.html to look at all")


def _image_class() -> Any:
    """Choose what draws by what the terminal says of itself in the environment.

    To ask it, as the library does, is to print what a terminal that does not understand the question shows as signs.
    """
    with patch.object(sys, "__stdout__", io.StringIO()):  # no terminal, so that nothing is asked
        from textual_image._terminal import get_cell_size, get_tiocgwinsz  # type: ignore[attr-defined]
        from textual_image.renderable import HalfcellImage, SixelImage, TGPImage

        with suppress(OSError):
            _, _, width, height = get_tiocgwinsz()
            if not (width and height):
                get_cell_size()  # remembers the usual size, which it would ask for as well
    known = os.environ
    if known.get("TERM_PROGRAM") == "iTerm.app":  # its sixel has 256 colours, its own images have all
        return InlineImage
    if "KITTY_WINDOW_ID" in known or "kitty" in known.get("TERM", ""):
        return TGPImage
    names = {known.get("TERM_PROGRAM", ""), known.get("TERM", "").partition("-")[0]}
    if names & SIXEL_TERMINALS or known.keys() & {"WT_SESSION", "KONSOLE_VERSION"}:
        return SixelImage
    return HalfcellImage


def _strip(hits: list[Hit]) -> Any:
    """Put the thumbnails of a row side by side."""
    from PIL import Image

    side, step = CELLS * _CELL_PIXELS, (CELLS + GAP) * _CELL_PIXELS
    strip = Image.new("RGB", (len(hits) * step - GAP * _CELL_PIXELS, side))
    for number, hit in enumerate(hits):
        if hit.thumbnail:
            with Image.open(io.BytesIO(hit.thumbnail)) as thumbnail:
                strip.paste(thumbnail.convert("RGB").resize((side, side)), (number * step, 0))
    return strip


def _caption(hit: Hit) -> str:
    score = "" if hit.score is None else f" {hit.score:.3f}"
    return printable(f"{hit.rank}.{score} {hit.category or ''}".replace(os.linesep, " "))[:CELLS].rstrip()
