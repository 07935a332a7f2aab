"""A raster of probabilities: every pixel has the greatest of the tiles over its centre, written as a COG.

The raster lies in the CRS of the scenes, or in longitude and latitude where they have several; there, and where a scene
is turned, a tile is taken for the box around it. A pixel is as large as the step between tiles, so that each tile
without overlap is one. It is painted and written a block at a time, so that memory does not grow with the ground; where
tiles lie far apart, the empty blocks between them take neither space nor time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from .._files import draft_folder, require_folder
from .._types import Float64s
from ..errors import InputError
from ..geometry.bbox import WGS84
from ..search.tile_probabilities import TileProbabilities
from ..store.scene_row import SceneRow
from ..store.schema import EXTENT

BLOCK_PIXELS = 512
"""Side of a block of the file; one is painted at a time."""
CACHE_BYTES = 64 * 2**20
"""What GDAL may hold of the file: by itself it takes a twentieth of the machine's memory."""
MAX_PIXELS = 4_000_000_000
"""More, and the pixels are too small for the ground: a mistake, or to be asked for in parts."""


@dataclass(frozen=True, slots=True)
class RasterGrid:
    """Where the pixels of a raster lie.

    Attributes:
        crs: of the raster.
        transform: from pixel (column, row) to the CRS, north up.
        width: columns.
        height: rows.
    """

    crs: CRS
    transform: Affine = field(repr=False)
    width: int
    height: int

    @classmethod
    def around(cls, bounds: Float64s, crs: CRS, step: float) -> RasterGrid:
        """Lay a grid of square pixels around boxes (n, 4) in a CRS, from the upper left corner of all of them.

        Raises:
            InputError: it would have more than `MAX_PIXELS` pixels.
        """
        west, south = bounds[:, :2].min(axis=0)
        east, north = bounds[:, 2:].max(axis=0)
        # A row or column more only if a centre of its pixels lies within.
        width, height = (max(1, math.ceil((high - low) / step - 0.501)) for low, high in ((west, east), (south, north)))
        if width * height > MAX_PIXELS:
            raise InputError(
                f"a raster of {width} x {height} pixels of {step:g} is too large; give a coarser --resolution, or a "
                "part of the ground with --bbox"
            )
        return cls(crs, Affine(step, 0, west, 0, -step, north), width, height)


def write_probabilities(
    tiles: TileProbabilities, scenes: dict[str, SceneRow], path: Path, title: str, resolution: float | None = None
) -> RasterGrid:
    """Write the probability of every place as a COG, float32, NaN where there is no tile.

    Args:
        tiles: with their probabilities.
        scenes: complete scenes of the store, by id.
        path: of the file.
        title: what was looked for.
        resolution: side of a pixel in units of the CRS; None for the step between tiles.

    Returns:
        Where its pixels lie.

    Raises:
        InputError: there are no tiles, the resolution cannot be used, or the file cannot be written.
    """
    if not len(tiles.values):
        raise InputError("no tile matches, so there is nothing to write; widen the region or the filters")
    require_folder(path)
    if resolution is not None and not 0 < resolution < math.inf:
        raise InputError(f"a resolution of {resolution:g} cannot be used; give the side of a pixel in units of the CRS")
    crs = _common_crs(scenes)
    bounds, step = _tile_bounds(tiles, scenes, crs)
    grid = RasterGrid.around(bounds, crs, resolution or step)
    import rasterio
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    with draft_folder(path) as folder, rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        plain, cog = folder / "plain.tif", folder / "draft.tif"
        try:
            _write_blocks(plain, grid, bounds, tiles.values, title)
            _copy_as_cog(plain, cog)
        except (RasterioError, CPLE_BaseError) as error:  # one is raised by `copy`, the other by all else
            raise RuntimeError(str(error)) from error
        cog.replace(path)
    return grid


def _common_crs(scenes: dict[str, SceneRow]) -> CRS:
    """Find the CRS that all scenes share, else longitude and latitude."""
    found = {scene.crs for scene in scenes.values()}
    return CRS.from_user_input(found.pop()) if len(found) == 1 else WGS84


def _tile_bounds(tiles: TileProbabilities, scenes: dict[str, SceneRow], crs: CRS) -> tuple[Float64s, float]:
    """Compute the boxes (n, 4) of the tiles in a CRS, in the order of their values, and the step between tiles."""
    bounds = np.empty((len(tiles.values), 4))
    straight = {name: scene for name, scene in scenes.items() if _is_straight(scene, crs)}
    placed = np.zeros(len(bounds), bool)
    if straight:
        for rows, found in _from_grids(tiles, straight):
            bounds[rows], placed[rows] = found, True
    rest = np.flatnonzero(~placed)
    if len(rest):
        for rows, batch in _scanned(tiles, ["geometry"] if crs != WGS84 else [*EXTENT]):
            some = ~placed[rows]
            bounds[rows[some]] = _bounds_in(batch.filter(some), crs)
    steps = [abs(scene.grid.transform[0]) * scene.grid.stride for scene in straight.values()]
    if len(rest):
        sizes = np.minimum(bounds[rest, 2] - bounds[rest, 0], bounds[rest, 3] - bounds[rest, 1])
        steps.append(float(np.median(sizes)))
    return bounds, min(steps)


def _is_straight(scene: SceneRow, crs: CRS) -> bool:
    """Tell whether the tiles of a scene are boxes in a CRS."""
    transform = scene.grid.transform
    return len(transform) >= 6 and not transform[1] and not transform[3] and CRS.from_user_input(scene.crs) == crs


def _from_grids(tiles: TileProbabilities, scenes: dict[str, SceneRow]) -> Iterator[tuple[NDArray[np.intp], Float64s]]:
    """Yield rows of the tiles, and their boxes from the grids of their scenes: without projecting a footprint."""
    names = list(scenes)
    table = np.array([[*scenes[n].grid.transform[:6], scenes[n].grid.width, scenes[n].grid.height] for n in names])
    numbers = {name: number for number, name in enumerate(names)}
    for rows, batch in _scanned(tiles, ["scene_id", "row", "col", "size"]):
        encoded = batch["scene_id"].dictionary_encode()
        codes = np.array([numbers.get(name, -1) for name in encoded.dictionary.to_pylist()], np.intp)
        scene = codes[encoded.indices.to_numpy()]
        known = scene >= 0
        a, _, c, _, e, f, width, height = table[scene[known]].T
        row, col, size = (batch[name].to_numpy()[known].astype(np.float64) for name in ("row", "col", "size"))
        x = c + a * np.stack([col, np.minimum(col + size, width)])  # a tile ends where its scene does
        y = f + e * np.stack([row, np.minimum(row + size, height)])
        yield rows[known], np.column_stack([x.min(0), y.min(0), x.max(0), y.max(0)])


def _scanned(tiles: TileProbabilities, columns: list[str]) -> Iterator[tuple[NDArray[np.intp], Any]]:
    """Yield rows of the tiles, and an Arrow batch of their columns, in storage order at flat memory."""
    order = np.argsort(tiles.rowids)
    for batch in tiles.snapshot.scan(columns):
        rowids = batch["_rowid"].to_numpy()
        at = order[np.minimum(np.searchsorted(tiles.rowids, rowids, sorter=order), len(order) - 1)]
        asked = tiles.rowids[at] == rowids
        if asked.any():
            yield at[asked], batch.filter(asked)


def _bounds_in(batch: Any, crs: CRS) -> Float64s:
    """Compute the boxes (n, 4) of tiles in a CRS; in longitude and latitude those that the store has, unwrapped."""
    if crs == WGS84:
        return np.column_stack([batch[name].to_numpy() for name in EXTENT])
    shapes = shapely.from_wkb(batch["geometry"].to_numpy(zero_copy_only=False))
    transformer = Transformer.from_crs(WGS84, crs, always_xy=True)
    bounds: Float64s = shapely.bounds(
        shapely.transform(shapes, lambda xy: np.column_stack(transformer.transform(*xy.T)))
    )
    return bounds


def _write_blocks(path: Path, grid: RasterGrid, bounds: Float64s, values: NDArray[np.float32], title: str) -> None:
    import rasterio
    from rasterio.windows import Window

    left, top, step = grid.transform.c, grid.transform.f, grid.transform.a
    # A pixel belongs to a tile if its centre lies in it; half a pixel's thousandth of rounding is no gap.
    first, last = (
        np.column_stack([np.ceil((x - left) / step - 0.501), np.ceil((top - y) / step - 0.501)]).astype(np.int32)
        for x, y in ((bounds[:, 0], bounds[:, 3]), (bounds[:, 2], bounds[:, 1]))
    )
    np.maximum(last, first + 1, out=last)
    profile: dict[str, Any] = {"driver": "GTiff", "dtype": "float32", "count": 1, "nodata": math.nan, "tiled": True}
    profile |= dict.fromkeys(("blockxsize", "blockysize"), BLOCK_PIXELS)
    profile |= {"compress": "deflate", "predictor": 3, "sparse_ok": True, "bigtiff": "if_safer"}
    profile |= {"crs": grid.crs.to_wkt(), "transform": grid.transform}
    with rasterio.open(path, "w", width=grid.width, height=grid.height, **profile) as file:
        file.set_band_description(1, f"probability of {title}")
        every = np.arange(len(values))
        for start_row, strip in _by_blocks(every, first[:, 1], last[:, 1]):
            rows = min(BLOCK_PIXELS, grid.height - start_row)
            for start_column, some in _by_blocks(strip, first[:, 0], last[:, 0]):
                columns = min(BLOCK_PIXELS, grid.width - start_column)
                if rows <= 0 or columns <= 0:
                    continue
                block, origin = np.full((rows, columns), -np.inf, np.float32), (start_column, start_row)
                _paint(block, first[some] - origin, last[some] - origin, values[some])
                block[np.isneginf(block)] = np.nan
                file.write(block, 1, window=Window(start_column, start_row, columns, rows))


def _by_blocks(
    some: NDArray[np.intp], first: NDArray[np.int32], last: NDArray[np.int32]
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield where each block of pixels begins along an axis that tiles reach into, and which of `some` do."""
    some = some[np.argsort(first[some], kind="stable")]
    starts, ends = first[some], last[some]
    longest = int((ends - starts).max(initial=0))
    begun = np.bincount(starts // BLOCK_PIXELS, minlength=1)
    ended = np.bincount((ends - 1) // BLOCK_PIXELS + 1)
    inside = np.cumsum(np.pad(begun, (0, len(ended) - len(begun))) - ended)
    for start in (np.flatnonzero(inside) * BLOCK_PIXELS).tolist():
        low, high = np.searchsorted(starts, (start - longest, start + BLOCK_PIXELS))
        yield start, some[low:high][ends[low:high] > start]


def _paint(
    strip: NDArray[np.float32], first: NDArray[np.int64], last: NDArray[np.int64], values: NDArray[np.float32]
) -> None:
    """Raise the pixels under each tile to its value; all tiles at once, a pixel of each at a time."""
    height, width = strip.shape
    first, last = np.maximum(first, 0), np.minimum(last, [width, height])
    sides = last - first
    most = sides.max(axis=0, initial=0)
    for down in range(int(most[1])):
        for right in range(int(most[0])):
            held = np.flatnonzero((sides[:, 0] > right) & (sides[:, 1] > down))
            np.maximum.at(strip, (first[held, 1] + down, first[held, 0] + right), values[held])


def _copy_as_cog(source: Path, target: Path) -> None:
    """Rewrite a GeoTIFF as a cloud-optimized one, with overviews."""
    from rasterio.shutil import copy

    options = {"compress": "DEFLATE", "predictor": "FLOATING_POINT", "overview_resampling": "AVERAGE"}
    copy(source, target, driver="COG", sparse_ok="YES", bigtiff="IF_SAFER", **options)
