"""The grid that tiles are read from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from affine import Affine
from pyproj import CRS

from ..errors import InputError
from .raster_size import MAX_SCENE_PIXELS
from .scene import Scene

WHOLE_NOTE = "the tiles divide the scene without a rest, so every pixel is in a tile"
EDGE_NOTE = "the last row and column of tiles are shifted inward, so every pixel is in a tile"
PADDED_NOTE = "the scene is smaller than a tile, which is padded with invalid pixels"
MAX_SIZE = 2**14
"""Side of a tile, pixels: a picture of this size takes 0.8 GB, and a model sees some hundred pixels of it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels that tiles are read from: a scene's own, or resampled to a ground resolution.

    Attributes:
        transform: from grid pixel (column, row) to `crs`.
        width: grid columns.
        height: grid rows.
        size: side of a tile, grid pixels.
        stride: step between tiles, grid pixels.
        scale_x: source columns per grid column.
        scale_y: source rows per grid row; another than `scale_x` where pixels that are not square are resampled.
        gsd: metres per grid pixel, at the centre of the scene.
        requested_gsd: metres per grid pixel that were asked for; None for the scene's own pixels.
    """

    transform: Affine
    crs: CRS
    width: int
    height: int
    size: int
    stride: int
    scale_x: float
    scale_y: float
    gsd: float
    requested_gsd: float | None = None

    @classmethod
    def over(cls, scene: Scene, size: int = 224, stride: int | None = None, gsd: float | None = None) -> Self:
        """Lay a grid over a whole scene.

        Raises:
            InputError: a number is not positive or beyond sense, or the stride would leave gaps.
        """
        step = size if stride is None else stride
        if size < 1 or step < 1 or step > size:
            raise InputError(f"size {size} with stride {step} leaves gaps or is not positive; give 1 <= stride <= size")
        if size > MAX_SIZE:
            raise InputError(f"size {size}: a tile of so many pixels is too large for memory; give {MAX_SIZE} at most")
        if gsd is not None and not (gsd > 0 and math.isfinite(gsd)):
            raise InputError(f"gsd {gsd} is not a positive number of metres")
        if gsd is None:
            return cls(scene.transform, scene.crs, scene.width, scene.height, size, step, 1.0, 1.0, scene.gsd)
        across, down = scene.georeference.pixel_size(*scene.georeference.reference_pixel)
        width, height = max(1, round(scene.width * across / gsd)), max(1, round(scene.height * down / gsd))
        if width * height > MAX_SCENE_PIXELS:
            raise InputError(f"gsd {gsd:g} makes {width:,} x {height:,} pixels of the scene; give a coarser one")
        scale_x, scale_y = scene.width / width, scene.height / height
        transform = scene.transform @ Affine.scale(scale_x, scale_y)
        return cls(transform, scene.crs, width, height, size, step, scale_x, scale_y, gsd, gsd)

    def rows(self) -> list[int]:
        """List the first pixel of each row of tiles; the last row is shifted inward."""
        return _tile_starts(self.height, self.size, self.stride)

    def columns(self) -> list[int]:
        """List the first pixel of each column of tiles."""
        return _tile_starts(self.width, self.size, self.stride)

    def windows(self) -> Iterator[tuple[int, int]]:
        """Iterate (row, col) of every tile, row by row."""
        columns = self.columns()
        return ((row, col) for row in self.rows() for col in columns)

    def __len__(self) -> int:
        return len(self.rows()) * len(self.columns())

    @property
    def edge_note(self) -> str:
        """Say how the edges of the scene are treated."""
        if self.width < self.size or self.height < self.size:
            return PADDED_NOTE
        whole = all((side - self.size) % self.stride == 0 for side in (self.width, self.height))
        return WHOLE_NOTE if whole else EDGE_NOTE

    def key(self) -> str:
        """Identify the geometry of the grid as text; the file it lies over is not part of it."""
        numbers = [*self.transform[:6], self.width, self.height, self.size]
        return json.dumps([float(n) for n in numbers])


def _tile_starts(length: int, size: int, stride: int) -> list[int]:
    if length <= size:
        return [0]
    regular = list(range(0, length - size + 1, stride))
    return regular if regular[-1] == length - size else [*regular, length - size]
