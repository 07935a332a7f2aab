"""Values of bands turned into red, green and blue, by the rendering that the file declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bands import Rendering

_MIN_POWER = 1e-6
"""-60 dB, the floor of the decibel scale: darker than any radar image."""


def to_rgb(
    rendering: Rendering, data: NDArray[Any], palette: NDArray[np.uint8] | None = None, white: float = 255
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Turn values into red, green and blue.

    Args:
        rendering: how.
        data: (bands, height, width), each band that is read once.
        palette: (entries, 4) RGBA, of a palette.
        white: the largest value of the type, for inverted and CMYK values.

    Returns:
        (3, height, width), or (1, height, width) where gray stands for all three; and where a palette has opaque
        entries (height, width), None for other renderings.
    """
    if rendering == Rendering.PALETTE and palette is not None:
        index = data[0].astype(np.int64)
        inside = (index >= 0) & (index < len(palette))
        rgba = palette[np.where(inside, index, 0)]
        return np.moveaxis(rgba[..., :3], -1, 0), inside & (rgba[..., 3] > 0)
    if rendering == Rendering.INVERTED:
        return (np.asarray(white).astype(data.dtype) - data), None
    if rendering == Rendering.CMYK:
        ink = data.astype(np.float32) / white
        return ((1 - ink[:3]) * (1 - ink[3]) * 255).round().astype(np.uint8), None
    if rendering == Rendering.YCBCR:  # ITU-R BT.601, full range, as JPEG has it
        y, cb, cr = data.astype(np.float32) - np.array([0, 128, 128], np.float32)[:, None, None]
        rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb])
        return np.clip(rgb, 0, 255).round().astype(np.uint8), None
    if rendering == Rendering.DECIBEL:
        return decibels(data), None
    return data, None


def decibels(data: NDArray[Any]) -> NDArray[np.float32]:
    """Turn linear backscatter into decibels, an array of the same shape."""
    with np.errstate(invalid="ignore"):
        decibel: NDArray[np.float32] = 10 * np.log10(np.maximum(data, _MIN_POWER).astype(np.float32))
    return decibel


def white_of(dataset: Any, band: int, dtype: np.dtype[Any]) -> float:
    """Return the largest value of a band, of fewer bits than its type where the file says so; 1 of floats."""
    if dtype.kind not in "iu":
        return 1.0
    bits = dataset.tags(band, ns="IMAGE_STRUCTURE").get("NBITS")
    return float(2 ** int(bits) - 1 if bits else np.iinfo(dtype).max)


def palette_of(colormap: Mapping[int, tuple[int, int, int, int]]) -> NDArray[np.uint8]:
    """Make a colour table (entries, 4) of what rasterio gives; entries that are missing are transparent."""
    table = np.zeros((max(colormap, default=0) + 1, 4), np.uint8)
    for index, colour in colormap.items():
        table[index] = colour
    return table
