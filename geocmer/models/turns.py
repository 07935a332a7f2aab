"""The turns and mirrorings of an image under which it is embedded, where more than one view is asked for.

Ground has no upper side, so a tile may be seen in eight ways. A tower that was trained on upright photographs sees each
a little differently, and the mean of the vectors errs less than one of them, as that of several adapters does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError

VIEWS = (1, 2, 4, 8)
"""How many views may be asked for: each is all of a symmetry, so that the mean knows no first view."""
_TURNS = ((0, False), (2, False), (0, True), (2, True), (1, False), (3, False), (1, True), (3, True))
"""Quarter turns, and whether the picture is mirrored first. The half turn comes first: it gained most on validation."""


def check_views(count: int) -> int:
    """Refuse another number of views.

    Raises:
        ModelError: it is none of `VIEWS`.
    """
    if count not in VIEWS:
        raise ModelError(f"{count} views cannot be made; give {', '.join(map(str, VIEWS[:-1]))} or {VIEWS[-1]}")
    return count


def views_of(
    pixels: NDArray[np.uint8], valid: NDArray[np.bool_] | None, count: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_] | None]]:
    """Yield the views of pictures, the pictures themselves first.

    Args:
        pixels: (n, height, width, 3).
        valid: (n, height, width), or None.
        count: one of `VIEWS`.
    """
    for quarters, mirrored in _TURNS[:count]:
        yield _turned(pixels, quarters, mirrored), None if valid is None else _turned(valid, quarters, mirrored)


def _turned(images: NDArray[Any], quarters: int, mirrored: bool) -> NDArray[Any]:
    """Mirror pictures (n, height, width, ...), then turn them."""
    return np.rot90(images[:, :, ::-1] if mirrored else images, quarters, (1, 2))
