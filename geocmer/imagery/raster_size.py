"""How large a raster declares itself to be: sizes beyond sense are refused before anything is reserved for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from .address import SceneAddress

MAX_SCENE_PIXELS = 10**14
"""The land of the Earth at 1 m and a bit; a damaged header says more."""
MAX_BLOCK_BYTES = 2**30
"""GDAL holds at least one block of all bands at once."""


def check_size(address: SceneAddress, dataset: Any) -> None:
    """Refuse an open raster of a size beyond sense.

    Raises:
        InputError: it has more pixels than any scene, or its blocks do not fit into memory.
    """
    width, height = dataset.width, dataset.height
    if width * height > MAX_SCENE_PIXELS:
        raise InputError(
            f"scene {address} declares {width:,} x {height:,} pixels, more than any scene has; its header is damaged"
        )
    item = np.dtype(dataset.dtypes[0].replace("complex_int16", "int32")).itemsize
    together = dataset.count if str(dataset.interleaving or "").lower().endswith("pixel") else 1
    rows, columns = dataset.block_shapes[0]
    size = rows * columns * item * together
    if size > MAX_BLOCK_BYTES:
        raise InputError(
            f"scene {address} has blocks of {columns:,} x {rows:,} pixels, {size / 2**30:.1f} GiB in memory; divide it "
            f"into small ones: gdal_translate -co TILED=YES {address.name} tiled.tif"
        )
