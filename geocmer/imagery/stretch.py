"""The contrast stretch of a scene: which values become black and white, the same for every tile of the scene."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

STRETCH_PERCENTILES = (2.0, 98.0)


SAMPLE_SIDE_PIXELS = 2048
"""Longest side of the decimated read that the stretch is computed on: 4 M pixels settle a percentile to 0.1 %."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The values of each band that become 0 and 255, one pair for the whole scene."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, array: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Stretch (bands, height, width) to uint8; invalid pixels (height, width) become 0."""
        if array.dtype.kind in "iu" and array.dtype.itemsize <= 2:  # few values: look them up, ten times faster
            tables = _tables(self, array.dtype.str)
            stretched = np.stack(
                [table[band.view(f"u{band.itemsize}")] for table, band in zip(tables, array, strict=True)]
            )
        else:
            stretched = self._compute(array)
        return np.where(valid, stretched, np.uint8(0))

    def _compute(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        low = np.array(self.low, np.float64)[:, None, None]
        span = np.array(self.high, np.float64)[:, None, None] - low
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = (array.astype(np.float64) - low) / np.where(span > 0, span, 1) * 255
        return np.clip(np.nan_to_num(scaled), 0, 255).round().astype(np.uint8)

    def to_json(self) -> str:
        """Give one line of JSON."""
        return json.dumps({"low": self.low, "high": self.high})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        raw = json.loads(text)
        return cls(tuple(raw["low"]), tuple(raw["high"]))


@lru_cache(maxsize=8)
def _tables(stretch: Stretch, dtype: str) -> NDArray[np.uint8]:
    """Stretch every value of an 8 or 16 bit type: (bands, values), in the order of its unsigned bits."""
    unsigned = np.arange(256 ** np.dtype(dtype).itemsize, dtype=f"u{np.dtype(dtype).itemsize}")
    values = unsigned.view(dtype)
    return stretch._compute(np.broadcast_to(values, (len(stretch.low), 1, values.size)))[:, 0]
