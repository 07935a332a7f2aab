"""Opening a raster with GDAL, from the disk or a server, after a look at what it is."""

from __future__ import annotations

import os
import warnings
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.session import DummySession

from ..errors import InputError
from .address import SceneAddress
from .origins import require_known_origins, trusts_sources
from .remote_raster import RasterSource, inspect_raster

MAX_DECODE_THREADS = 4
"""Threads that decode the blocks of one read of a file, where there are as many processors: a row of tiles is some
blocks, and more threads than these wait for each other."""


def open_raster(address: SceneAddress, trust_sources: bool, of_store: bool) -> tuple[RasterSource, Any]:
    """Open a raster with rasterio.

    Args:
        address: of the raster.
        trust_sources: see `SceneOptions`.
        of_store: a store names it, not the user: servers that were not named here before are not asked.

    Raises:
        InputError: it is missing, empty or unreadable, has no bands, or is on a server that only a store names.
    """
    if not address.remote:
        file = address.path
        if not os.path.exists(file):  # noqa: PTH110 - a name that is too long is not there, and no error
            raise InputError(f"scene {file} does not exist; give a GeoTIFF")
        if file.is_dir() or file.stat().st_size == 0:
            raise InputError(f"scene {file} is {'a folder' if file.is_dir() else 'an empty file'}; give a GeoTIFF")
    if of_store:
        require_known_origins(address, {address.origin} - {""})
    source = inspect_raster(address, trust_sources or trusts_sources(address))
    if of_store:
        require_known_origins(address, source.origins)
    threads: dict[str, str] = {}
    if not address.remote and not os.environ.get("GDAL_NUM_THREADS"):  # from a server GDAL would ask block by block
        threads["GDAL_NUM_THREADS"] = str(min(MAX_DECODE_THREADS, os.cpu_count() or 1))
    try:
        dataset = _open(source, threads)
        if threads and dataset.compression is None:
            # nothing to decode, and in threads GDAL wants a whole last strip, which many writers cut short
            dataset.close()
            dataset = _open(source, {})
    except RasterioError as error:
        reason = first_line(error).replace(address.gdal_name, address.name)
        raise InputError(f"scene {address} is not a raster that GDAL can read ({reason}); give a GeoTIFF") from error
    if dataset.count == 0:
        parts = ", ".join(dataset.subdatasets[:5])
        dataset.close()
        raise InputError(
            f"scene {address} has no bands" + (f" of its own; give one of its parts: {parts}" if parts else "")
        )
    return source, dataset


def _open(source: RasterSource, threads: dict[str, str]) -> Any:
    # rasterio's own session would look for credentials, which GDAL does by itself
    with warnings.catch_warnings(), rasterio.Env(session=DummySession(), **source.options, **threads):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(source.address.gdal_name, driver=source.driver)


def first_line(error: Exception) -> str:
    """Take the first line of an error's text."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def parts_note(dataset: Any) -> str:
    """Say that a file has further images, as a TIFF of several pages does."""
    parts = dataset.subdatasets
    return f"the first of {len(parts)} images in the file; others by name, as {parts[1]}" if len(parts) > 1 else ""
