"""An open scene: which bands it shows, where it lies, when it was taken, and which of its pixels are valid."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import Geod
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from .._files import hash_file
from ..errors import CRSError, InputError
from ..geometry.footprint import footprint
from .stretch import SAMPLE_SIDE_PIXELS, STRETCH_PERCENTILES, Stretch

BLOCK_CACHE_BYTES = 256 * 2**20
"""Bytes of GDAL's block cache: some rows of blocks of a wide raster. GDAL's own default is 5 % of the memory."""


class Scene:
    """An open scene. Use it in a `with` block; a handle belongs to one thread.

    Attributes:
        transform: from pixel (column, row) to `crs`.
        gsd: ground sample distance at the centre, metres.
        bands: the three bands read, counted from 1; a scene of one band repeats it.
        bands_note: says how the bands were chosen.
        datetime: acquisition time in UTC, if the file has it.
    """

    def __init__(self, path: Path, dataset: Any, bands: tuple[int, ...] | None) -> None:
        self.path, self._dataset = path, dataset
        self.crs, self.transform = dataset.crs, dataset.transform
        self.width, self.height, self.count = dataset.width, dataset.height, dataset.count
        self.dtype, self.nodata = dataset.dtypes[0], dataset.nodata
        alphas = [i + 1 for i, colour in enumerate(dataset.colorinterp) if colour == ColorInterp.alpha]
        self._alpha = alphas[0] if alphas and self.nodata is not None else None
        self.bands, self.bands_note = _choose_bands(path, dataset, bands)
        self.datetime = _datetime(dataset)
        self.gsd = _gsd(self.transform, self.width, self.height, self.crs)

    @classmethod
    def open(cls, path: str | Path, bands: tuple[int, ...] | None = None) -> Self:
        """Open a raster file.

        Args:
            path: GeoTIFF, COG, or whatever GDAL reads.
            bands: red, green and blue, counted from 1; by default the file's colour interpretation, else 1, 2, 3.

        Raises:
            InputError: it is missing, empty, unreadable, has complex values, or lacks a band.
            CRSError: it has no CRS.
        """
        path = Path(path)
        if not path.exists():
            raise InputError(f"scene {path} does not exist; give a GeoTIFF")
        if path.is_dir() or path.stat().st_size == 0:
            raise InputError(f"scene {path} is {'a folder' if path.is_dir() else 'an empty file'}; give a GeoTIFF")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                dataset = rasterio.open(path)
        except RasterioError as error:
            raise InputError(
                f"scene {path} is not a raster that GDAL can read ({_first_line(error)}); give a GeoTIFF"
            ) from error
        try:
            if dataset.crs is None:
                raise CRSError(f"scene {path} has no CRS; assign one with: rio edit-info --crs EPSG:CODE {path.name}")
            if dataset.dtypes[0].startswith("complex"):
                raise InputError(
                    f"scene {path} has complex values ({dataset.dtypes[0]}); convert it to amplitude first"
                )
            scene = cls(path, dataset, bands)
            for row in (0, scene.height // 2, scene.height - 1):  # a truncated file opens, and fails when read
                scene.read(Window(0, row, scene.width, 1))
        except Exception:
            dataset.close()
            raise
        return scene

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    @cached_property
    def content_hash(self) -> str:
        """blake2b-128 of the file's bytes, 32 hex digits."""
        return hash_file(self.path)

    def read(
        self, window: Window, shape: tuple[int, int] | None = None, resampling: Resampling = Resampling.average
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a window of the chosen bands.

        Args:
            window: source pixels, inside the scene; may be fractional.
            shape: (height, width) to resample to; the window's own if None.
            resampling: used only where `shape` differs from the window.

        Returns:
            (3, height, width) in the file's data type, and the mask (height, width), True where every band is valid.

        Raises:
            InputError: the file cannot be read there.
        """
        unique_bands = sorted(set(self.bands))
        size = None if shape is None else (len(unique_bands), *shape)
        try:
            with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=BLOCK_CACHE_BYTES):
                warnings.simplefilter("ignore", NodataShadowWarning)  # rasterio then forgets alpha; below it counts too
                array = self._dataset.read(
                    unique_bands, window=window, out_shape=size, resampling=resampling, masked=True
                )
                alpha = self._alpha and self._dataset.read(
                    self._alpha, window=window, out_shape=shape, resampling=resampling
                )
        except RasterioError as error:
            raise InputError(
                f"scene {self.path} cannot be read at {window} ({_first_line(error)}); the file is damaged"
            ) from error
        valid: NDArray[np.bool_] = np.logical_not(np.ma.getmaskarray(array).any(axis=0))
        data = array.data
        if alpha is not None:
            valid &= alpha > 0
        if data.dtype.kind == "f":
            valid &= np.isfinite(data).all(axis=0)
        return data[[unique_bands.index(band) for band in self.bands]], valid

    def stretch(self, percentiles: tuple[float, float] = STRETCH_PERCENTILES) -> Stretch:
        """Compute the scene's stretch: percentiles of the valid pixels of a decimated read.

        Raises:
            InputError: no pixel of the scene is valid.
        """
        share = min(1.0, SAMPLE_SIDE_PIXELS / max(self.width, self.height))
        shape = (max(1, round(self.height * share)), max(1, round(self.width * share)))
        array, valid = self.read(Window(0, 0, self.width, self.height), shape, Resampling.nearest)
        if not valid.any():
            raise InputError(f"scene {self.path} has no valid pixel (nodata {self.nodata}); check its nodata value")
        low, high = np.percentile(array[:, valid].astype(np.float64), percentiles, axis=1)
        return Stretch(tuple(low.tolist()), tuple(high.tolist()))


def parse_bands(text: str) -> tuple[int, ...]:
    """Parse red, green and blue from "4,3,2"; one number stands for all three.

    Raises:
        InputError: it is not one or three numbers.
    """
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"bands {text!r} are not numbers; write red,green,blue, for instance 4,3,2") from error
    if len(numbers) not in (1, 3):
        raise InputError(f"bands {text!r} are {len(numbers)} numbers; give one or three, for instance 4,3,2")
    return numbers * 3 if len(numbers) == 1 else numbers


def _choose_bands(path: Path, dataset: Any, requested: tuple[int, ...] | None) -> tuple[tuple[int, ...], str]:
    if requested is not None:
        wrong = [band for band in requested if not 1 <= band <= dataset.count]
        if wrong:
            raise InputError(
                f"band {wrong[0]} is not in scene {path}, which has bands 1 to {dataset.count}; correct --bands"
            )
        return requested, f"bands {_format_bands(requested)}, as requested"
    colours = {colour: i + 1 for i, colour in reversed(list(enumerate(dataset.colorinterp)))}
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(colour in colours for colour in rgb):
        found = tuple(colours[colour] for colour in rgb)
        return found, f"bands {_format_bands(found)}, by colour interpretation"
    if dataset.count >= 3:
        return (1, 2, 3), "bands 1,2,3, as no band declares its colour; choose others with --bands"
    return (1, 1, 1), "band 1 alone, as gray"


def _format_bands(bands: tuple[int, ...]) -> str:
    return ",".join(map(str, bands))


def _datetime(dataset: Any) -> datetime | None:
    tags = dataset.tags()
    for name in ("TIFFTAG_DATETIME", "DATETIME", "ACQUISITION_DATE", "datetime"):
        text = tags.get(name, "").strip()
        for form in ("%Y:%m:%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
            try:
                return datetime.strptime(text, form).replace(tzinfo=UTC)
            except ValueError:
                pass
    return None


def _gsd(transform: Affine, width: int, height: int, crs: Any) -> float:
    """Compute the square root of the ground area of the centre pixel, metres: right for turned and geographic grids."""
    centre = transform @ Affine.translation(width // 2, height // 2)
    area, _ = Geod(ellps="WGS84").geometry_area_perimeter(footprint(centre, 1, 1, crs))
    return float(abs(area) ** 0.5)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
