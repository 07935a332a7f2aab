"""Which pixels of a scene hold data: alpha, masks, nodata values and numbers that are none all count.

The rule for nodata: 0, and the largest value of an unsigned type, are colours too (the red of blue water is 0), so a
pixel lacks data only where all bands that are read have them. Any other nodata value, as -9999, is no measurement, and
a pixel lacks data where any band has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.windows import Window


class Validity:
    """Reads which pixels are valid, for the bands of an open raster.

    Args:
        dataset: open with rasterio.
        bands: that are read, counted from 1.
        alpha: the alpha bands; a pixel is valid where all are above 0.
        nodata: the user's own value for all bands, besides the file's.
    """

    def __init__(self, dataset: Any, bands: Sequence[int], alpha: Sequence[int], nodata: float | None) -> None:
        self._dataset, self._alpha = dataset, tuple(alpha)
        declared = dataset.nodatavals
        self.values = [[v for v in (declared[band - 1], nodata) if v is not None] for band in bands]
        flags = [dataset.mask_flag_enums[band - 1] for band in bands]
        shared = any(MaskFlags.per_dataset in flag and MaskFlags.alpha not in flag for flag in flags)
        apart = [
            band for band, flag in zip(bands, flags, strict=True)
            if not {MaskFlags.per_dataset, MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha} & set(flag)
        ]  # fmt: skip
        self._masks = [bands[0]] if shared else apart

    @property
    def declared(self) -> bool:
        """Whether anything says which pixels are valid."""
        return bool(self._alpha or self._masks or any(self.values))

    def read(
        self, data: NDArray[Any], window: Window | None, shape: tuple[int, int] | None, resampling: Resampling
    ) -> NDArray[np.bool_]:
        """Find the valid pixels (height, width) of values (bands, height, width) of a window, or of all."""
        valid = ~self.lacking(data) if any(self.values) else np.ones(data.shape[1:], bool)
        options = {"window": window, "out_shape": shape, "resampling": resampling}
        for band in self._masks:
            valid &= self._dataset.read_masks(band, **options) > 0
        for band in self._alpha:
            valid &= self._dataset.read(band, **options) > 0
        if data.dtype.kind == "f":
            valid &= np.isfinite(data).all(axis=0)
        return valid

    def lacking(self, data: NDArray[Any]) -> NDArray[np.bool_]:
        """Find the pixels (height, width) that nodata values exclude."""
        shape = data.shape[1:]
        everywhere, anywhere = np.ones(shape, bool), np.zeros(shape, bool)
        for band, values in zip(data, self.values, strict=True):
            plain = np.zeros(shape, bool)
            for value in values:
                equal = _equals(band, value)
                plain |= equal
                if not _is_colour(band.dtype, value):
                    anywhere |= equal
            everywhere &= plain
        return everywhere | anywhere


def can_hold(dtype: np.dtype[Any], value: float) -> bool:
    """Tell whether values of a type can equal one: no byte is -9999, and no float of 32 bits 1e300."""
    if dtype.kind == "f":
        return not np.isfinite(value) or abs(value) <= float(np.finfo(dtype).max)
    limits = np.iinfo(dtype)
    return float(value).is_integer() and limits.min <= value <= limits.max


def _equals(band: NDArray[Any], value: float) -> NDArray[np.bool_]:
    """Compare in the type of the band: a nodata value is often written with fewer digits than a double has."""
    if not can_hold(band.dtype, value):
        return np.zeros(band.shape, bool)
    return np.isnan(band) if np.isnan(value) else np.asarray(band == band.dtype.type(value))


def _is_colour(dtype: np.dtype[Any], value: float) -> bool:
    return value == 0 or (dtype.kind == "u" and value == np.iinfo(dtype).max)
