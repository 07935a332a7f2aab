"""Nodata that no value declares: one extreme value in all bands, in one piece along the edge of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_SHARE = 0.01
"""Of the valid pixels. Less does not move the percentiles of a stretch."""
_MIN_COMPACTNESS = 0.8
"""Share of its pixels whose right and lower neighbours have the value too: not so for shadows and bright roofs."""


@dataclass(frozen=True, slots=True)
class UndeclaredNodata:
    """A value that looks like nodata.

    Attributes:
        value: of all bands.
        share: of the valid pixels that have it, 0 to 1.
        pixels: where it is, (height, width).
    """

    value: float
    share: float
    pixels: NDArray[np.bool_]

    @property
    def note(self) -> str:
        """What the user should know."""
        return (
            f"{self.share:.0%} of the pixels are {self.value:g} in all bands, which no nodata value declares; they are "
            f"left out of the stretch; if they hold no data, say so with --nodata {self.value:g}"
        )


def find_undeclared_nodata(data: NDArray[Any], valid: NDArray[np.bool_]) -> UndeclaredNodata | None:
    """Find it in a sample of a scene.

    Args:
        data: (bands, height, width).
        valid: (height, width), True where pixels count at all.
    """
    count = int(valid.sum())
    if not count:
        return None
    first = data[0][valid]
    for value in (first.min(), first.max()):
        pixels = valid & (data == value).all(axis=0)
        share = int(pixels.sum()) / count
        if MIN_SHARE <= share < 1 and _at_border(pixels) and _is_compact(pixels):
            return UndeclaredNodata(float(value), share, pixels)
    return None


def _at_border(pixels: NDArray[np.bool_]) -> bool:
    return bool(pixels[0].any() or pixels[-1].any() or pixels[:, 0].any() or pixels[:, -1].any())


def _is_compact(pixels: NDArray[np.bool_]) -> bool:
    inner = pixels[:-1, :-1]
    together = inner & pixels[1:, :-1] & pixels[:-1, 1:]
    return int(together.sum()) >= _MIN_COMPACTNESS * max(1, int(inner.sum()))
