"""Reading an image file as RGB, whatever its depth: 8 bits as they are, more bits stretched as a scene would be.

Pillow reads what it can show without loss. GDAL reads the rest: TIFF with any bands, more than 8 bits, and images too
large to decode at once. An image needs no place on the Earth, so this is no `Scene`.
"""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .stretch import Stretch

MAX_SIDE_PIXELS = 2048
"""Longest side at which GDAL's images are read; larger ones are averaged down. No tower takes more than 600."""

_PERCENTILES = (2.0, 98.0)

_PILLOW_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "La", "RGBa", "LAB", "HSV")
"""Modes of 8 bits and less."""

_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_READ_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises on damaged files, by format."""


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read an image file as uint8 RGB (height, width, 3); transparent and invalid pixels are black.

    Raises:
        InputError: it is missing, damaged, no image, or has no valid pixel.
    """
    if not path.is_file():
        raise InputError(
            f"image {path} {'is no file' if path.exists() else 'does not exist'}; give a JPEG, PNG or GeoTIFF"
        )
    try:
        with path.open("rb") as file:
            is_tiff = file.read(4) in _TIFF_SIGNATURES
        pixels = None if is_tiff else _read_with_pillow(path)
    except _READ_ERRORS as error:
        raise InputError(f"{path} is not a readable image ({error}); give a JPEG, PNG or GeoTIFF") from error
    return _read_with_gdal(path) if pixels is None else pixels


def _read_with_pillow(path: Path) -> NDArray[np.uint8] | None:
    """Read an image of 8 bits, turned as its EXIF says; None for what GDAL should read."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(path)
        except (UnidentifiedImageError, Image.DecompressionBombWarning, Image.DecompressionBombError):
            return None
    with image:
        deep = any("16" in str(tile[3]) for tile in getattr(image, "tile", []) if len(tile) > 3)  # RGB;16B and the like
        if deep or image.mode not in _PILLOW_MODES or image.format == "JPEG2000":
            return None
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            rgba = np.asarray(upright.convert("RGBA"))
            return np.where(rgba[..., 3:] > 0, rgba[..., :3], np.uint8(0))
        return np.asarray(upright.convert("RGB"))


def _read_with_gdal(path: Path) -> NDArray[np.uint8]:
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            for kind in (NotGeoreferencedWarning, NodataShadowWarning):
                warnings.simplefilter("ignore", kind)
            with rasterio.open(path) as dataset:
                bands = _rgb_bands(path, dataset)
                share = min(1.0, MAX_SIDE_PIXELS / max(dataset.width, dataset.height))
                shape = (max(1, round(dataset.height * share)), max(1, round(dataset.width * share)))
                array = dataset.read(bands, out_shape=(len(bands), *shape), resampling=Resampling.average)
                valid = dataset.dataset_mask(out_shape=shape) > 0
                palette = dataset.colormap(bands[0]) if dataset.colorinterp[bands[0] - 1].name == "palette" else None
                if palette is not None:
                    indices = dataset.read(bands[0], out_shape=shape, resampling=Resampling.nearest)
                    colours = np.array([palette.get(i, (0, 0, 0, 0))[:3] for i in range(256)], np.uint8)
                    return np.where(valid[..., None], colours[indices], np.uint8(0))
    except RasterioError as error:
        reason = str(error.__cause__ or error).split("\n", 1)[0]
        raise InputError(f"{path} is not a readable image ({reason}); give a JPEG, PNG or GeoTIFF") from error
    if array.dtype.kind == "c":
        raise InputError(f"{path} has complex values ({array.dtype}); convert it to amplitude first")
    if array.dtype.kind == "f":
        valid &= np.isfinite(array).all(axis=0)
    if not valid.any():
        raise InputError(f"{path} has no valid pixel; give another image")
    if array.dtype != np.uint8:
        low, high = np.percentile(array[:, valid].astype(np.float64), _PERCENTILES, axis=1)
        array = Stretch(tuple(low.tolist()), tuple(high.tolist())).apply(array, valid)
    rgb = np.where(valid, array, np.uint8(0)).transpose(1, 2, 0)
    return np.ascontiguousarray(np.broadcast_to(rgb, (*rgb.shape[:2], 3)))


def _rgb_bands(path: Path, dataset: Any) -> list[int]:
    """Choose red, green and blue as `tile` does: by colour interpretation, else the first three, else one as grey."""
    if dataset.count == 0:
        raise InputError(f"{path} has no bands of its own; give one of its parts")
    colours = {colour.name: i + 1 for i, colour in reversed(list(enumerate(dataset.colorinterp)))}
    if {"red", "green", "blue"} <= set(colours):
        return [colours[name] for name in ("red", "green", "blue")]
    return [1, 2, 3] if dataset.count >= 3 else [1]
