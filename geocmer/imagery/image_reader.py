"""Reading an image file as RGB, whatever its depth: 8 bits as they are, more bits stretched as a scene would be.

Pillow reads what it can show without loss. GDAL reads the rest: TIFF with any bands, more than 8 bits, and images too
large to decode at once. An image needs no place on the Earth, so this is no `Scene`.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._files import is_file
from ..errors import InputError
from ..models.hole_fill import fill_holes
from .stretch import STRETCH_PERCENTILES, Stretch
from .undeclared_nodata import find_undeclared_nodata

MAX_SIDE_PIXELS = 2048
"""Longest side at which GDAL's images are read; larger ones are averaged down. No tower takes more than 600."""

_PILLOW_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "La", "RGBa", "LAB", "HSV")
"""Modes of 8 bits and less."""

_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_ORIENTATION = 0x0112
"""Tag of TIFF and EXIF."""
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""Its values -> what of Pillow makes such an image upright."""

_READ_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises on damaged files, by format."""


IMAGE_DRIVERS = ("GTiff", "JPEG", "JP2OpenJPEG", "PNG", "WEBP", "GIF", "BMP")
"""GDAL's drivers of files that are pictures by themselves and name no other file, as a VRT does."""


def read_rgb(path: Path, drivers: Sequence[str] | None = None) -> NDArray[np.uint8]:
    """Read an image file as uint8 RGB (height, width, 3); transparent and invalid pixels are filled from valid ones.

    Args:
        path: of the file.
        drivers: of GDAL that may read it; None: all, which is for a person's own files.

    Raises:
        InputError: it is missing, damaged, no image, or has no valid pixel.
    """
    if not is_file(path):
        raise InputError(f"image {path} is no file or does not exist; give a JPEG, PNG or GeoTIFF")
    try:
        pixels = None if _is_tiff(path) else _read_with_pillow(path)
    except _READ_ERRORS as error:
        raise InputError(f"{path} is not a readable image ({error}); give a JPEG, PNG or GeoTIFF") from error
    return _read_with_gdal(path, drivers) if pixels is None else pixels


def read_sides(path: Path) -> tuple[int, int]:
    """Read the two sides of an image file, pixels, from its header alone.

    Raises:
        InputError: it is missing, damaged or no image.
    """
    import rasterio
    from PIL import Image
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    with suppress(*_READ_ERRORS, Image.DecompressionBombError), warnings.catch_warnings():  # GDAL reads more
        warnings.simplefilter("ignore")
        if not _is_tiff(path):  # of which Pillow knows some kinds, and prints about the others
            with Image.open(path) as image:
                return image.size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path.absolute()) as dataset:  # of `http:x.tif` too
                return dataset.width, dataset.height
    except RasterioError as error:
        raise InputError(f"{path} is not a readable image ({error}); give a JPEG, PNG or GeoTIFF") from error


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
            if not rgba[..., 3].any():
                raise InputError(f"{path} has no valid pixel; give another image")
            return fill_holes(rgba[None, ..., :3], rgba[None, ..., 3] > 0)[0]
        return np.asarray(upright.convert("RGB"))


def _read_with_gdal(path: Path, drivers: Sequence[str] | None) -> NDArray[np.uint8]:
    import rasterio
    from PIL import Image
    from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            for kind in (NotGeoreferencedWarning, NodataShadowWarning):
                warnings.simplefilter("ignore", kind)
            # not `rasterio.open`, which takes one driver at the most
            with rasterio.Env(), rasterio.DatasetReader(path, driver=drivers) as dataset:
                array, valid, counted = _read_bands(path, dataset)
                turn = _TURNS.get(_orientation(path, dataset))
    except RasterioError as error:
        reason = str(error.__cause__ or error).split("\n", 1)[0]
        raise InputError(f"{path} is not a readable image ({reason}); give a JPEG, PNG or GeoTIFF") from error
    if not valid.any():
        raise InputError(f"{path} has no valid pixel; give another image")
    if array.dtype != np.uint8:
        low, high = np.percentile(array[:, counted].astype(np.float64), STRETCH_PERCENTILES, axis=1)
        array = Stretch(tuple(low.tolist()), tuple(high.tolist())).apply(array, valid)
    rgb = fill_holes(np.ascontiguousarray(array.transpose(1, 2, 0))[None], valid[None])[0]
    return rgb if turn is None else np.asarray(Image.fromarray(rgb).transpose(Image.Transpose[turn]))


def _orientation(path: Path, dataset: Any) -> int:
    """Read how an image that has no place on the Earth is turned, 1 to 8 as in TIFF and EXIF; 1 is upright."""
    from PIL import Image, TiffImagePlugin

    if dataset.crs is not None or not dataset.transform.is_identity:
        return 1  # rows and columns are those of the map, as `tile` has them
    found: Any = dataset.tags().get("EXIF_Orientation")
    with suppress(*_READ_ERRORS, Image.DecompressionBombError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if _is_tiff(path):
            with path.open("rb") as file:
                head = file.read(8)
                tags = TiffImagePlugin.ImageFileDirectory_v2(head + file.read(8) if b"+" in head[:4] else head)
                file.seek(tags.next)
                tags.load(file)
            found = tags.get(_ORIENTATION)
        elif found is None:
            with Image.open(path) as image:
                found = image.getexif().get(_ORIENTATION)
    return int(found) if str(found).isdecimal() else 1


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in _TIFF_SIGNATURES


def _read_bands(path: Path, dataset: Any) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    """Read red, green and blue (3, height, width), chosen and rendered as `tile` does.

    Returns:
        The values, which pixels are valid, and which of those count for a stretch.
    """
    from rasterio.enums import Resampling
    from rasterio.windows import Window

    from .address import SceneAddress
    from .bands import Rendering, choose_bands
    from .colors import palette_of, to_rgb, white_of
    from .validity import Validity

    if dataset.count == 0:
        raise InputError(f"{path} has no bands of its own; give one of its parts")
    choice = choose_bands(SceneAddress.of(path), dataset)
    dtype = np.result_type(*(dataset.dtypes[band - 1] for band in choice.read))
    if dtype.kind == "c":
        raise InputError(f"{path} has complex values ({dtype}); convert it to amplitude first")
    share = min(1.0, MAX_SIDE_PIXELS / max(dataset.width, dataset.height))
    shape = (max(1, round(dataset.height * share)), max(1, round(dataset.width * share)))
    is_palette = choice.rendering == Rendering.PALETTE
    resampling = Resampling.mode if is_palette else Resampling.average
    bands = [dataset.read(band, out_shape=shape, resampling=resampling).astype(dtype) for band in choice.read]
    data = np.stack(bands)
    window = Window(0, 0, dataset.width, dataset.height)
    validity = Validity(dataset, choice.read, choice.alpha, None)
    valid = validity.read(data, window, shape, resampling)
    palette = palette_of(dataset.colormap(choice.read[0])) if is_palette else None
    white = white_of(dataset, choice.read[0], dtype)
    colours, opaque = to_rgb(choice.rendering, data, palette, white)
    if colours.dtype == np.uint8 and white < 255 and not is_palette:  # 1, 2 or 4 bits
        colours = (colours * (255 / white)).astype(np.uint8)
    if opaque is not None:
        valid = valid & opaque
    if len(colours) != len(choice.bands) or choice.rendering == Rendering.LINEAR:
        colours = colours[[choice.read.index(band) for band in choice.bands]]
    undeclared = None if validity.declared or is_palette else find_undeclared_nodata(colours, valid)
    return colours, valid, valid if undeclared is None else valid & ~undeclared.pixels
