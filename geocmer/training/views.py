"""The views of a picture that training sees: the symmetries of the square, and corners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VIEWS = 16
"""The symmetries of the square, which an overhead picture admits: four quarter turns, each also mirrored. Then as many
of a corner of the picture, as if its ground resolution were finer."""


CORNER = 0.8
"""Side of a corner, of the picture's."""


def view(pixels: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """One of the views of square pictures (n, side, side, 3); view 0 is the picture itself, corners are smaller."""
    if index >= VIEWS // 2:
        side = pixels.shape[1]
        kept = round(CORNER * side)
        top, left = ((side - kept) * at for at in divmod(index % 4, 2))
        pixels = pixels[:, top : top + kept, left : left + kept]
    turned = np.rot90(pixels, index % 4, axes=(1, 2))
    return turned[:, :, ::-1] if index % 8 >= 4 else turned
