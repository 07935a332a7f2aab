"""The contrast stretch of a scene: which values become black and white, the same for every tile of the scene."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

STRETCH_PERCENTILES = (2.0, 98.0)
STRETCH_DEVIATIONS = 2.0
SAMPLE_SIDE_PIXELS = 2048
"""Longest side of the decimated read that the stretch is computed on: 4 M pixels settle a percentile to 0.1 %."""
_CHUNK_PIXELS = 2**15
"""Pixels that are stretched at a time: what is in between stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The values of each band that become 0 and 255, one pair for the whole scene."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, array: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Stretch (bands, height, width) to uint8; invalid pixels (height, width) become 0.

        The bands of a pixel lie side by side in the memory of what is returned, as images and towers want them.
        """
        bands, height, width = array.shape
        pixels = np.empty((height, width, bands), np.uint8)
        rows = max(1, _CHUNK_PIXELS // max(1, width))
        for first in range(0, height, rows):
            part, out = array[:, first : first + rows], pixels[first : first + rows]
            if array.dtype.kind in "iu" and array.dtype.itemsize <= 2:  # few values: look them up, ten times faster
                for number, (table, band) in enumerate(zip(_tables(self, array.dtype.str), part, strict=True)):
                    if array.dtype.itemsize == 1:  # thrice as fast as indices, which numpy widens to eight bytes
                        found = np.frombuffer(band.tobytes().translate(table.tobytes()), np.uint8).reshape(band.shape)
                    else:
                        # `clip` spares the check that each value is in the table, which all values of the type are
                        found = np.take(table, band.view("u2"), mode="clip")
                    out[..., number] = found
            else:
                out[...] = self._compute(part).transpose(1, 2, 0)
        if not valid.all():
            pixels *= valid[..., None]
        return pixels.transpose(2, 0, 1)

    def _compute(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        low = np.array(self.low, np.float64)[:, None, None]
        span = np.array(self.high, np.float64)[:, None, None] - low
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = np.subtract(array, low, dtype=np.float64)
            scaled /= np.where(span != 0, span, 1)
            scaled *= 255
        scaled[np.isnan(scaled)] = 0
        np.clip(scaled, 0, 255, out=scaled)
        return np.rint(scaled, out=scaled).astype(np.uint8)

    def to_json(self) -> str:
        """Give one line of JSON."""
        return json.dumps({"low": self.low, "high": self.high})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        raw = json.loads(text)
        return cls(tuple(raw["low"]), tuple(raw["high"]))


@dataclass(frozen=True, slots=True)
class StretchRule:
    """How the stretch of a scene is found.

    Attributes:
        kind: `percentile` (2nd to 98th of each band), `shared` (those of all scenes that are tiled together, see
            `shared_stretch`), `minmax`, `sigma` (the mean and two standard deviations to both sides), `none` (the whole
            range of the type; 0 to 1 for floats) or `fixed`.
        low: of a fixed stretch, in the unit of the data: after scale and offset; one for all bands, or one for each.
        high: the same.
    """

    kind: str = "percentile"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value of `--stretch`.

        Raises:
            InputError: it is none of the kinds, nor two numbers.
        """
        if text in ("percentile", "shared", "minmax", "sigma", "none"):
            return cls(text)
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        low, high = tuple(numbers[::2]), tuple(numbers[1::2])
        if len(numbers) not in (2, 6):
            raise InputError(
                f"stretch {text!r} is unknown; write percentile, shared, minmax, sigma, none or two numbers, for "
                "instance 0,0.3, for all bands or for each"
            )
        if not all(math.isfinite(n) for n in numbers) or any(a == b for a, b in zip(low, high, strict=True)):
            raise InputError(f"stretch {text!r} has no span; give two numbers that differ, for instance 0,0.3")
        return cls("fixed", low, high)

    @property
    def text(self) -> str:
        """What `parse` reads."""
        pairs = zip(self.low, self.high, strict=True)
        return ",".join(f"{number:g}" for pair in pairs for number in pair) if self.kind == "fixed" else self.kind

    def stretch(
        self, values: NDArray[Any], dtype: np.dtype[Any], scales: tuple[float, ...], offsets: tuple[float, ...],
        white: float | None = None,
    ) -> Stretch:  # fmt: skip
        """Compute the stretch.

        Args:
            values: (bands, n) valid ones, as the file has them.
            dtype: of the file.
            scales: of each band: the unit of the data is value * scale + offset.
            offsets: the same.
            white: the largest value that there can be, where it is not that of the type, as of 12 bits.
        """
        if self.kind in ("percentile", "shared") and values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
            low, high = _percentiles(values).T
            found = np.empty((len(values), 0))
        else:
            found = values.astype(np.float64)
        if self.kind in ("percentile", "shared"):
            if found.size:
                low, high = np.percentile(found, STRETCH_PERCENTILES, axis=1)
        elif self.kind == "minmax":
            low, high = found.min(axis=1), found.max(axis=1)
        elif self.kind == "sigma":
            mean, spread = found.mean(axis=1), STRETCH_DEVIATIONS * found.std(axis=1)
            low, high = mean - spread, mean + spread
        elif self.kind == "none":
            ends = (0.0, 1.0) if dtype.kind == "f" else (np.iinfo(dtype).min, white or np.iinfo(dtype).max)
            low, high = (np.full(len(found), float(end)) for end in ends)
        else:
            low, high = ((np.array(end) - offsets) / scales for end in (self.low, self.high))
        if self.kind != "fixed":  # a negative scale makes small values bright
            down = np.array(scales) < 0
            low, high = np.where(down, high, low), np.where(down, low, high)
        return Stretch(tuple(low.tolist()), tuple(high.tolist()))


PERCENTILE = StretchRule()


def _percentiles(values: NDArray[Any]) -> NDArray[np.float64]:
    """Compute the percentiles (bands, 2) of small integers (bands, n) by counting them, as numpy does by sorting."""
    found = []
    for band in values:
        least, counts = _count_values(band)
        ends = np.cumsum(counts)
        pair = []
        for share in STRETCH_PERCENTILES:
            at = (len(band) - 1) * (share / 100)
            below = int(at)
            low, high = (
                float(least + np.searchsorted(ends, i, "right")) for i in (below, min(below + 1, len(band) - 1))
            )
            weight = at - below
            pair.append(high - (high - low) * (1 - weight) if weight >= 0.5 else low + (high - low) * weight)
        found.append(pair)
    return np.array(found)


def _count_values(band: NDArray[Any]) -> tuple[int, NDArray[np.int64]]:
    """Count each value of an 8 or 16 bit type in (n,): the least value of the type, and the counts of all from there.

    Bytes are counted two at a time, which takes a quarter of the time: numpy widens each to eight.
    """
    bits = np.ascontiguousarray(band).view(f"u{band.itemsize}")
    values = 256**band.itemsize
    if band.itemsize == 1:
        pairs = np.bincount(bits[: len(bits) // 2 * 2].view(np.uint16), minlength=values**2).reshape(values, values)
        counts = pairs.sum(axis=0) + pairs.sum(axis=1) + np.bincount(bits[len(bits) // 2 * 2 :], minlength=values)
    else:
        counts = np.bincount(bits, minlength=values)
    return (0, counts) if band.dtype.kind == "u" else (-values // 2, np.roll(counts, values // 2))


@lru_cache(maxsize=8)
def _tables(stretch: Stretch, dtype: str) -> NDArray[np.uint8]:
    """Stretch every value of an 8 or 16 bit type: (bands, values), in the order of its unsigned bits."""
    unsigned = np.arange(256 ** np.dtype(dtype).itemsize, dtype=f"u{np.dtype(dtype).itemsize}")
    values = unsigned.view(dtype)
    return stretch._compute(np.broadcast_to(values, (len(stretch.low), 1, values.size)))[:, 0]
