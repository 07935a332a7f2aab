"""Averages of valid pixels over coarser ones, where GDAL cannot be told which are valid.

GDAL leaves one nodata value of a raster, or its mask, out of an average. A value that the user gives besides is a
second rule, and GDAL would average one of the two in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

_CHUNK_PIXELS = 2**21
"""Source pixels that are read at a time: 50 MB of sums for each band."""


def average_valid(
    read: Callable[[Window], tuple[NDArray[Any], NDArray[np.bool_]]], size: tuple[int, int], window: Window,
    shape: tuple[int, int],
) -> tuple[NDArray[Any], NDArray[np.bool_]]:  # fmt: skip
    """Average the valid pixels of a window, each by the share of it that lies under a coarser pixel.

    Args:
        read: window of whole pixels -> values (bands, height, width), and which are valid (height, width).
        size: height and width of the raster.
        window: may be fractional.
        shape: (height, width) of what is returned.

    Returns:
        Values (bands, height, width) in the type that was read, and validity (height, width): True where some part of a
        valid pixel lies under it.
    """
    rows = np.clip(window.row_off + np.arange(shape[0] + 1) * (window.height / shape[0]), 0, size[0])
    columns = np.clip(window.col_off + np.arange(shape[1] + 1) * (window.width / shape[1]), 0, size[1])
    left, right = int(columns[0]), int(np.ceil(columns[-1]))
    step = max(1, int(_CHUNK_PIXELS / ((right - left) * max(1.0, window.height / shape[0]))))
    values, valid = [], []
    for first in range(0, shape[0], step):
        edges = rows[first : first + step + 1]
        top, bottom = int(edges[0]), int(np.ceil(edges[-1]))
        data, known = read(Window(left, top, right - left, bottom - top))
        weight = _sums(_sums(known.astype(np.float64), edges - top, 0), columns - left, 1)
        some = weight > 1e-9
        total = _sums(_sums(np.where(known, data, 0).astype(np.float64), edges - top, 1), columns - left, 2)
        mean = total / np.where(some, weight, 1)
        # halves are rounded up, as GDAL does
        values.append((np.floor(mean + 0.5) if data.dtype.kind in "iu" else mean).astype(data.dtype))
        valid.append(some)
    return np.concatenate(values, axis=1), np.concatenate(valid)


def _sums(array: NDArray[np.float64], edges: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Sum what lies between edges along an axis, parts of pixels in proportion."""
    before = np.insert(np.cumsum(array, axis), 0, 0, axis)
    whole = np.minimum(edges.astype(np.int64), array.shape[axis] - 1)
    shape = [1] * array.ndim
    shape[axis] = -1
    part = (edges - whole).reshape(shape) * np.take(array, whole, axis)
    return np.diff(np.take(before, whole, axis) + part, axis=axis)
