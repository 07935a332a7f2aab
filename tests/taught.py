"""A store whose tiles show a thing or do not, for the tests of what is taught."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray

from geocmer.imagery.stretch import Stretch
from geocmer.imagery.tiling import TilingReport
from geocmer.store.scene_row import GridRecord, SceneRow, TilingSettings
from geocmer.store.store import EncoderInfo, Store, TileRow

DIM, SIDE = 32, 20
INFO = EncoderInfo("ab" * 16, "bundled", "", DIM)
THING = np.random.default_rng(1).standard_normal(DIM)


def truth(number: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which tiles show the thing: blocks of 2 x 2 tiles here and there."""
    row, col = number // SIDE // 2, number % SIDE // 2
    shown: NDArray[np.bool_] = (row * 7 + col * 3) % 5 == 0
    return shown


def make_store(path: Path, seed: int = 0) -> Store:
    """400 tiles of 0.01 degrees from 10 east, 50 north; `truth` tells what they show."""
    numbers = np.arange(SIDE * SIDE)
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((len(numbers), DIM)) + np.outer(truth(numbers), 0.9 * THING)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [TileRow(f"{n:032x}", "5c" * 16, int(n) // SIDE, int(n) % SIDE, 64, box(int(n)), 10, 1) for n in numbers]
    store = Store.create(path)
    store.add_encoder(INFO)
    store.add_tiles(rows, vectors)
    return store


def box(number: int) -> shapely.Polygon:
    x, y = 10 + number % SIDE * 0.01, 50 - number // SIDE * 0.01
    return shapely.box(x, y - 0.01, x + 0.01, y)


def scene_row(name: str, crs: str, transform: Affine, size: int, stride: int, count: int) -> SceneRow:
    side = (count - 1) * stride + size
    grid = GridRecord(size, stride, tuple(transform)[:6], side, side)
    return SceneRow(
        id=name, uri="scene.tif", content_hash="00" * 16, crs=rasterio.CRS.from_string(crs).to_wkt(),
        transform=tuple(transform)[:6], width=side, height=side, gsd=10, bands=(1, 2, 3),
        stretch=Stretch((0,) * 3, (255,) * 3),
        grid=grid, report=TilingReport(0), datetime=None, settings=TilingSettings(),
        created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )  # fmt: skip
