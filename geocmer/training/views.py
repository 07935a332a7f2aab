"""The views of an image that a model is trained on: the symmetries of the square, and its corners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VIEW_COUNT = 16
"""Eight symmetries of the square, which an overhead image admits: four quarter turns, each also mirrored. Then eight of
a corner of the image, as if its ground resolution were finer."""

CORNER_SHARE = 0.8
"""Side of a corner as a share of the image's side."""


def view(pixels: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """Make one view of square images (n, side, side, 3): view 0 is the image itself, views from 8 on are smaller."""
    if index >= VIEW_COUNT // 2:
        side = pixels.shape[1]
        corner = round(CORNER_SHARE * side)
        top, left = ((side - corner) * at for at in divmod(index % 4, 2))
        pixels = pixels[:, top : top + corner, left : left + corner]
    turned = np.rot90(pixels, index % 4, axes=(1, 2))
    return turned[:, :, ::-1] if index % 8 >= 4 else turned
