"""How much ground the images of a set cover: its ground resolution times their sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import InputError
from ..imagery.image_reader import read_sides
from ..imagery.images import ImageFile, ImageSource

FIELD = "gsd_m"
"""Name of the ground resolution in an annotation file, at its top level."""


def ground_resolution(content: Any) -> tuple[float, ...]:
    """Find the least and greatest ground resolution of a set, metres a pixel; empty where its file gives none.

    Args:
        content: of an annotation file: `gsd_m` is a number or a list of two. Words, as sets from elsewhere have there,
            give none.

    Raises:
        InputError: it is a number that is no resolution.
    """
    given = content.get(FIELD) if isinstance(content, dict) else None
    values: list[Any] = given if isinstance(given, list) else [given]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return ()
    if len(values) not in (1, 2) or not 0 < values[0] <= values[-1] < float("inf"):
        raise InputError(f"{FIELD} is {given!r}; give metres a pixel, as 10 or [0.2, 30]")
    return float(values[0]), float(values[-1])


def ground_sides(images: Sequence[ImageSource], resolutions: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Compute the least and greatest side of the ground in images, metres; empty if a resolution is not known.

    Only the headers of the images are read.

    Raises:
        InputError: one of them cannot be read.
    """
    if not images or not resolutions or not all(resolutions):
        return ()
    sides = [side for image in images if isinstance(image, ImageFile) for side in read_sides(image.path)]
    least, most = min(low for low, _ in resolutions), max(high for _, high in resolutions)
    return least * min(sides), most * max(sides)
