"""Holes of an image, filled from its valid pixels, so that an encoder does not take them for ground.

A black hole looks like a lake to a tower that has only seen whole images. Every invalid pixel gets the valid pixel that
lies as far beyond the edge of the hole as it lies within: the ground is mirrored, its texture and edges go on. Where
that pixel is not valid, or not in the image, it gets the nearest valid one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FILL = "mirror-1"
"""Names the rule in the fingerprint of an encoder: vectors of tiles with holes depend on it."""


def fill_holes(pixels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill the invalid pixels of images.

    Args:
        pixels: uint8 (n, height, width, channels).
        valid: (n, height, width), True where a pixel shows ground.

    Returns:
        Images of the same shape; those without a hole, or without a valid pixel, are as they were.
    """
    holes = [i for i, mask in enumerate(valid) if not mask.all() and mask.any()]
    if not holes:
        return pixels
    filled = pixels.copy()
    for i in holes:
        rows, columns = _sources(valid[i])
        filled[i] = pixels[i][rows, columns]
    return filled


def _sources(valid: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find for every pixel (height, width) the row and column of the valid pixel that stands for it."""
    from scipy.ndimage import distance_transform_edt

    near: NDArray[np.int32] = distance_transform_edt(~valid, return_distances=False, return_indices=True)
    own = np.indices(valid.shape)
    mirrored = 2 * near - own
    height, width = valid.shape
    inside = (mirrored[0] >= 0) & (mirrored[0] < height) & (mirrored[1] >= 0) & (mirrored[1] < width)
    usable = inside.copy()
    usable[inside] = valid[mirrored[0][inside], mirrored[1][inside]]
    rows, columns = np.where(usable, mirrored, near)
    return rows, columns
