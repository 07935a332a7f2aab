"""A reliability diagram: predicted probabilities against the observed shares."""

from __future__ import annotations

from pathlib import Path

from .._files import atomic_path, naming_write_errors, require_folder
from ..errors import InputError
from .plot import BLUE, GRID_COLOUR, TEXT_COLOUR, font
from .reliability import Reliability

SIDE, LEFT, BOTTOM, TOP, RIGHT = 620, 84, 70, 56, 30
"""Of the picture and its margins, pixels."""


def require_image(figure: Path) -> None:
    """Refuse a name that no PNG can be drawn to, before the work whose result it will show.

    Raises:
        InputError: it has another suffix, or its folder is not there.
    """
    if figure.suffix.lower() != ".png":
        raise InputError(f"{figure}: the diagram is a PNG; name a file that ends in .png")
    require_folder(figure)


def draw_reliability(found: Reliability, figure: Path) -> None:
    """Draw a PNG; a dot is a bin, the larger the more of all pictures it holds.

    Raises:
        InputError: it cannot be written.
    """
    from PIL import Image, ImageDraw

    chart = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(chart)

    def at(predicted: float, observed: float) -> tuple[float, float]:
        return LEFT + predicted * (SIDE - LEFT - RIGHT), SIDE - BOTTOM - observed * (SIDE - BOTTOM - TOP)

    for tick in (0, 0.2, 0.4, 0.6, 0.8, 1.0):
        for ends in ((at(0, tick), at(1, tick)), (at(tick, 0), at(tick, 1))):
            pen.line(ends, GRID_COLOUR)
        pen.text((LEFT - 10, at(0, tick)[1]), f"{tick:.0%}", TEXT_COLOUR, font(14), anchor="rm")
        pen.text((at(tick, 0)[0], SIDE - BOTTOM + 8), f"{tick:.0%}", TEXT_COLOUR, font(14), anchor="ma")
    pen.line([at(0, 0), at(1, 1)], (150, 150, 150), 2)
    points = [at(predicted, observed) for predicted, observed in zip(found.predicted, found.found, strict=True)]
    pen.line(points, BLUE, 2)
    for (x, y), weight in zip(points, found.weight, strict=True):
        radius = 4 + 10 * weight**0.25
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], BLUE)
    title = f"{found.concepts} concepts that the fit had not seen: error {found.calibration_error:.4f}"
    pen.text((LEFT, 8), title, TEXT_COLOUR, font(16))
    pen.text(((LEFT + SIDE) / 2, SIDE - 12), "predicted probability", TEXT_COLOUR, font(14), anchor="md")
    pen.text((LEFT, TOP - 6), "share of the pictures that show it", TEXT_COLOUR, font(14), anchor="ld")
    with naming_write_errors(figure), atomic_path(figure) as draft:
        chart.save(draft, "PNG")
