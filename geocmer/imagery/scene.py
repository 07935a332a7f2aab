"""An open scene: reads its pixels as red, green and blue, and which of them are valid."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import NodataShadowWarning, RasterioError
from rasterio.session import DummySession
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from .._files import Closing
from ..errors import InputError
from .acquisition import find_acquisition
from .address import SceneAddress
from .average import average_valid
from .bands import BandChoice, Rendering, choose_bands
from .colors import palette_of, to_rgb, white_of
from .georeference import Georeference
from .identity import content_hash, stamp
from .raster_opening import first_line, open_raster, parts_note
from .raster_size import check_size
from .remote_raster import RasterSource, inspect_raster
from .scene_options import SceneOptions
from .stretch import PERCENTILE, SAMPLE_SIDE_PIXELS, Stretch, StretchRule
from .undeclared_nodata import find_undeclared_nodata
from .validity import Validity, can_hold

BLOCK_CACHE_BYTES = 256 * 2**20
"""Bytes of GDAL's block cache: some rows of blocks of a wide raster. GDAL's own default is 5 % of the memory."""


class Scene(Closing):
    """An open scene. Use it in a `with` block; a handle belongs to one thread.

    Attributes:
        georeference: where it lies; `crs` and `transform` are its own.
        gsd: ground sample distance at the centre, metres.
        bands: the three bands shown, counted from 1; a scene of one band repeats it.
        bands_note: says how the bands were chosen.
        datetime: acquisition time in UTC, if it is known.
        notes: what the user should know: bands, place, time, and, once the stretch is computed, fill.
    """

    def __init__(self, source: RasterSource, dataset: Any, options: SceneOptions) -> None:
        self.address = path = source.address
        self._source, self._dataset, self.options = source, dataset, options
        self._stamp: object = None
        self.width, self.height, self.count = dataset.width, dataset.height, dataset.count
        check_size(path, dataset)
        self.georeference = Georeference.of(path, dataset, options.gcps)
        self.crs, self.transform = self.georeference.crs, self.georeference.transform
        self._choice: BandChoice = choose_bands(path, dataset, options.bands)
        self.bands, self.bands_note = self._choice.bands, self._choice.note
        types = {dataset.dtypes[band - 1] for band in self._choice.read}
        odd = next((name for name in types if name.startswith("complex")), None)
        if odd:
            raise InputError(f"scene {path} has complex values ({odd}); convert it to amplitude first")
        self.dtype, self._mixed = np.result_type(*types), len(types) > 1
        given = options.nodata
        self._given_nodata = given if given is not None and can_hold(self.dtype, given) else None
        self._validity = Validity(dataset, self._choice.read, self._choice.alpha, self._given_nodata)
        self._palette = (
            palette_of(dataset.colormap(self._choice.read[0])) if self._choice.rendering == Rendering.PALETTE else None
        )
        acquired = find_acquisition(path, dataset, options.datetime, options.datetime_source)
        self.datetime, self.datetime_source = acquired.datetime, acquired.source
        self.gsd = self.georeference.gsd(*self.georeference.reference_pixel)
        notes = (self.bands_note, self.georeference.note, acquired.note, parts_note(dataset))
        self.notes = [note for note in notes if note]

    @classmethod
    def open(
        cls, path: str | Path | SceneAddress, bands: tuple[int, ...] | None = None,
        options: SceneOptions | None = None, *, of_store: bool = False,
    ) -> Self:  # fmt: skip
        """Open a raster.

        Args:
            path: GeoTIFF, COG, or whatever GDAL reads; also on a server, see `SceneAddress`.
            bands: red, green and blue, counted from 1; by default as the file declares or names them, else 1, 2, 3.
            options: more of how it is read; `bands` here counts before `options.bands`.
            of_store: a store names it, not the user: servers that were not named here before are not asked.

        Raises:
            InputError: it is missing, empty, unreadable, has complex values, or lacks a band.
            CRSError: it has no place on the Earth.
        """
        address, options = SceneAddress.of(path), options or SceneOptions()
        if bands is not None:
            options = replace(options, bands=bands)
        source, dataset = open_raster(address, options.trust_sources, of_store)
        try:
            scene = cls(source, dataset, options)
            columns = 1 if address.remote else scene.width  # a block or a row of them, which would be a long download
            for row in (0, scene.height // 2, scene.height - 1):  # a truncated file opens, and fails when read
                scene.read(Window(scene.width - columns, row, columns, 1))
        except Exception:
            dataset.close()
            raise
        return scene

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    @property
    def nodata(self) -> float | None:
        """The nodata value: the user's, if the file can have it, else the first band's."""
        declared: float | None = self._dataset.nodata
        return declared if self._given_nodata is None else self._given_nodata

    @cached_property
    def content_hash(self) -> str:
        """Hash the content of all of the scene's files: 32 hex digits; see `identity`."""
        if self._source.hash is not None:
            return self._source.hash
        self._stamp = stamp(self._dataset)
        with rasterio.Env(session=DummySession(), **self._source.options):
            return content_hash(self.address.path, self._dataset, self.address.part)

    def require_unchanged(self) -> None:
        """Refuse a scene whose files are not those that `content_hash` was of, as another program writes them.

        Raises:
            InputError: one of them changed.
        """
        if self._source.hash is None:
            changed = stamp(self._dataset) != self._stamp
        else:
            changed = inspect_raster(self.address, True).hash != self._source.hash
        if changed:
            raise InputError(f"scene {self.address} changed while it was read; run it again once it is written")

    @property
    def origins(self) -> frozenset[str]:
        """The servers and buckets that it is read from."""
        return self._source.origins

    @property
    def view(self) -> tuple[object, ...]:
        """What is seen of the content, a part of every id: the bands, and what the user said of the pixels."""
        options = self.options
        own = (options.nodata, options.gcps, options.stretch.text)
        return self.bands if own == (None, False, PERCENTILE.text) else (*self.bands, *own)

    def read(
        self, window: Window, shape: tuple[int, int] | None = None, resampling: Resampling = Resampling.average
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a window as red, green and blue, not stretched.

        Args:
            window: source pixels, inside the scene; may be fractional.
            shape: (height, width) to resample to; the window's own if None.
            resampling: used only where `shape` differs from the window; a palette takes the most frequent instead of
                the average.

        Returns:
            (3, height, width) in the file's data type, or that of the rendering, and the mask (height, width), True
            where pixels are valid.

        Raises:
            InputError: the file cannot be read there.
        """
        if self._palette is not None and resampling == Resampling.average:
            resampling = Resampling.mode
        if shape is not None and self._given_nodata is not None and resampling == Resampling.average:
            size = self.height, self.width
            return self._as_rgb(*average_valid(lambda part: self._read(part, None, resampling), size, window, shape))
        return self._as_rgb(*self._read(window, shape, resampling))

    def _read(
        self, window: Window, shape: tuple[int, int] | None, resampling: Resampling
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read the bands that are needed, and which pixels are valid; see `read`."""
        if shape is None:  # a VRT would apply it to sources of other resolutions
            resampling = Resampling.nearest
        options = {"window": window, "out_shape": shape, "resampling": resampling}
        bands = list(self._choice.read)
        try:
            with warnings.catch_warnings(), self._env():
                warnings.simplefilter("ignore", NodataShadowWarning)
                if self._mixed:
                    data = np.stack([self._dataset.read(band, **options).astype(self.dtype) for band in bands])
                else:
                    data = self._dataset.read(bands, **{**options, "out_shape": shape and (len(bands), *shape)})
                valid = self._validity.read(data, window, shape, resampling)
        except RasterioError as error:
            raise InputError(
                f"scene {self.address} cannot be read at {window} ({first_line(error)}); the file is damaged"
            ) from error
        return data, valid

    def read_warped(
        self, crs: str, transform: Affine, shape: tuple[int, int]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read the scene onto a grid of another CRS, from its overviews where they are fine enough.

        Args:
            crs: of the grid.
            transform: from grid pixel to that CRS.
            shape: (height, width) of the grid.

        Returns:
            As `read`; what lies beside the scene is not valid.

        Raises:
            InputError: the file cannot be read there.
        """
        bands, alpha = list(self._choice.read), self._choice.alpha
        vrt: dict[str, Any] = {"src_crs": self.crs.to_wkt(), "src_transform": self.transform}
        vrt |= {"crs": crs, "transform": transform, "height": shape[0], "width": shape[1]}
        vrt["resampling"] = Resampling.nearest if self._palette is not None else Resampling.bilinear
        if self.nodata is not None:
            vrt |= {"src_nodata": self.nodata, "nodata": self.nodata}
        elif not alpha:
            vrt["add_alpha"], alpha = True, (self.count + 1,)
        try:
            with self._env(), WarpedVRT(self._dataset, **vrt) as grid:
                data = grid.read(bands).astype(self.dtype, copy=False)
                valid = Validity(grid, bands, alpha, self._given_nodata).read(data, None, None, Resampling.nearest)
        except RasterioError as error:
            raise InputError(
                f"scene {self.address} cannot be read at {transform} ({first_line(error)}); the file is damaged"
            ) from error
        return self._as_rgb(data, valid)

    def _as_rgb(self, data: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Turn the values of the bands that are read into red, green and blue."""
        colours, opaque = to_rgb(self._choice.rendering, data, self._palette, self._white)
        if opaque is not None:
            valid &= opaque
        if len(colours) == len(self.bands) and self._choice.rendering != Rendering.LINEAR:
            return colours, valid
        order = [self._choice.read.index(band) for band in self.bands]
        return colours if order == list(range(len(colours))) else colours[order], valid

    def stretch(self, rule: StretchRule | None = None) -> Stretch:
        """Compute the scene's stretch by a rule, or by that of its options; a palette has none by default.

        Raises:
            InputError: no pixel is valid.
        """
        rule = rule or self.options.stretch
        values, scales, offsets = self.sample(min(1.0, SAMPLE_SIDE_PIXELS / max(self.width, self.height)))
        if self._palette is not None and rule == PERCENTILE:
            rule = StretchRule("none")
        if self._choice.rendering == Rendering.DECIBEL and rule.kind == "none":
            rule = StretchRule("minmax")
        plain = self._choice.rendering in (Rendering.LINEAR, Rendering.INVERTED)
        return rule.stretch(values, values.dtype, scales, offsets, self._white if plain else None)

    def sample(self, share: float) -> tuple[NDArray[Any], tuple[float, ...], tuple[float, ...]]:
        """Read the valid pixels of the whole scene, decimated, without what looks like fill that nothing declares.

        Args:
            share: of the columns, and of the rows, that is read; above 1 pixels are repeated.

        Returns:
            Values (3, n), as `read` gives them, and scale and offset of each band: the unit is value * scale + offset.

        Raises:
            InputError: none is valid.
        """
        shape = (max(1, round(self.height * share)), max(1, round(self.width * share)))
        array, valid = self.read(Window(0, 0, self.width, self.height), shape, Resampling.nearest)
        if not valid.any():
            raise InputError(f"scene {self.address} has no valid pixel (nodata {self.nodata}); check its nodata value")
        if not self._validity.declared and self._palette is None:
            found = find_undeclared_nodata(array, valid)
            if found is not None:
                valid = valid & ~found.pixels
                self.notes.append(found.note)
        scales, offsets = (1.0,) * 3, (0.0,) * 3
        if self._choice.rendering == Rendering.LINEAR:
            scales = tuple(self._dataset.scales[band - 1] for band in self.bands)
            offsets = tuple(self._dataset.offsets[band - 1] for band in self.bands)
        return array.reshape(len(array), -1) if valid.all() else array[:, valid], scales, offsets

    def _env(self) -> rasterio.Env:
        """Return the settings to read it under; rasterio's own session would look for credentials at every read."""
        return rasterio.Env(session=DummySession(), GDAL_CACHEMAX=BLOCK_CACHE_BYTES, **self._source.options)

    @cached_property
    def _white(self) -> float:
        return white_of(self._dataset, self._choice.read[0], self.dtype)
