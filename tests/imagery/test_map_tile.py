"""Map tiles of scenes, against pyproj and the scene's own pixels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from synthetic import noise, raster

from geocmer.imagery.map_tile import GRIDS, TILE_PIXELS, map_tile
from geocmer.imagery.scene import Scene
from geocmer.imagery.scene_options import SceneOptions
from geocmer.imagery.stretch import Stretch

PLAIN = Stretch((0.0,) * 3, (255.0,) * 3)
MERCATOR = GRIDS["mercator"]


def place(lon: float, lat: float, z: int) -> tuple[int, int]:
    """Column and row of the mercator tile at a place, by the formula of the OpenStreetMap wiki."""
    n = 2**z
    return int((lon + 180) / 360 * n), int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * n)


def test_a_scene_on_the_grid_itself_keeps_its_pixels(tmp_path: Path) -> None:
    z, x, y = 12, 2200, 1430
    pixels = noise(3, TILE_PIXELS, TILE_PIXELS)
    path = raster(tmp_path / "a.tif", pixels, MERCATOR.transform(z, x, y), "EPSG:3857")
    with Scene.open(path) as scene:
        tile = map_tile(scene, PLAIN, MERCATOR, z, x, y)
        beside = map_tile(scene, PLAIN, MERCATOR, z, x + 1, y)
        again = map_tile(scene, PLAIN, MERCATOR, z, x + 2**z, y)
    assert np.array_equal(np.moveaxis(tile[..., :3], -1, 0), pixels)
    assert (tile[..., 3] == 255).all()
    assert (beside == 0).all()
    assert np.array_equal(again, tile), "the same place once round the Earth"


@pytest.mark.parametrize("name", ["mercator", "degrees"])
def test_a_tile_shows_the_pixels_that_lie_there(tmp_path: Path, name: str) -> None:
    grid = GRIDS[name]
    ramp = np.mgrid[0:400, 0:400]
    pixels = np.stack([ramp[0] / 2, ramp[1] / 2, np.full((400, 400), 77)]).astype(np.uint8)
    path = raster(tmp_path / "a.tif", pixels)  # 10 m pixels in UTM
    middle = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(602_000, 4_998_000)
    z = 13
    x, y = place(*middle, z) if name == "mercator" else (
        int((middle[0] + 180) / 180 * 2**z), int((90 - middle[1]) / 180 * 2**z))  # fmt: skip
    with Scene.open(path) as scene:
        tile = map_tile(scene, PLAIN, grid, z, x, y)
    columns, rows = np.meshgrid(np.arange(TILE_PIXELS) + 0.5, np.arange(TILE_PIXELS) + 0.5)
    a, _, c, _, e, f = grid.transform(z, x, y)[:6]
    east, north = Transformer.from_crs(grid.crs, "EPSG:32633", always_xy=True).transform(a * columns + c, e * rows + f)
    source_row, source_col = (5_000_000 - north) / 10, (east - 600_000) / 10
    within = (source_row > 1) & (source_row < 399) & (source_col > 1) & (source_col < 399)
    outside = (source_row < -1) | (source_row > 401) | (source_col < -1) | (source_col > 401)
    assert within.sum() > 5000
    assert (tile[..., 3][within] == 255).all()
    assert (tile[..., 3][outside] == 0).all()
    assert np.abs(tile[..., 0][within] - source_row[within] / 2).max() < 1.5
    assert np.abs(tile[..., 1][within] - source_col[within] / 2).max() < 1.5


def test_values_are_stretched_as_those_of_the_tiles(tmp_path: Path) -> None:
    z, x, y = 12, 2200, 1430
    pixels = noise(3, TILE_PIXELS, TILE_PIXELS, dtype="uint16")
    path = raster(tmp_path / "a.tif", pixels, MERCATOR.transform(z, x, y), "EPSG:3857")
    stretch = Stretch((100.0, 0.0, 5_000.0), (40_000.0, 60_000.0, 5_500.0))
    with Scene.open(path) as scene:
        tile = map_tile(scene, stretch, MERCATOR, z, x, y)
    assert np.array_equal(np.moveaxis(tile[..., :3], -1, 0), stretch.apply(pixels, np.ones((TILE_PIXELS,) * 2, bool)))


@pytest.mark.parametrize("how", ["nodata", "given", "mask", "alpha"])
def test_what_holds_no_data_is_clear(tmp_path: Path, how: str) -> None:
    from rasterio.enums import ColorInterp

    z, x, y = 12, 2200, 1430
    pixels = noise(3, TILE_PIXELS, TILE_PIXELS)
    valid = np.ones((TILE_PIXELS, TILE_PIXELS), bool)
    valid[40:90, 100:200] = False
    more: dict[str, object] = {}
    if how in ("nodata", "given"):
        pixels[:, ~valid] = 0
    if how == "nodata":
        more["nodata"] = 0
    if how == "mask":
        more["mask"] = valid
    if how == "alpha":
        pixels = np.concatenate([pixels, np.where(valid, 255, 0).astype(np.uint8)[None]])
        more["colours"] = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    path = raster(tmp_path / "a.tif", pixels, MERCATOR.transform(z, x, y), "EPSG:3857", **more)
    with Scene.open(path, options=SceneOptions(nodata=0 if how == "given" else None)) as scene:
        tile = map_tile(scene, PLAIN, MERCATOR, z, x, y)
    assert np.array_equal(tile[..., 3] > 0, valid)
    assert (tile[~valid] == 0).all()


def test_a_palette_keeps_its_colours(tmp_path: Path) -> None:
    import rasterio

    z, x, y = 12, 2200, 1430
    index = noise(1, TILE_PIXELS, TILE_PIXELS) % 3
    path = raster(tmp_path / "a.tif", index, MERCATOR.transform(z, x, y), "EPSG:3857")
    colours = {0: (10, 20, 30, 255), 1: (200, 0, 0, 255), 2: (0, 0, 200, 255)}
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, colours)
    shifted = MERCATOR.transform(z, x, y) @ Affine.scale(0.5)  # so that pixels are resampled
    with Scene.open(path) as scene:
        tile = map_tile(scene, PLAIN, MERCATOR, z, x, y)
        data, _ = scene.read_warped("EPSG:3857", shifted, (512, 512))
    table = np.array([colours[n][:3] for n in range(3)], np.uint8)
    assert np.array_equal(tile[..., :3], table[index[0]])
    seen = {tuple(one) for one in np.moveaxis(data, 0, -1).reshape(-1, 3).tolist()}
    assert seen <= {tuple(one) for one in table.tolist()}, "no colour between two of the table"


@pytest.mark.parametrize("value", [-9999, math.nan, math.inf])
def test_a_nodata_value_that_no_pixel_can_have_hides_nothing(tmp_path: Path, value: float) -> None:
    """`--nodata -9999` for a folder whose scenes are floats, and some of bytes."""
    z, x, y = 12, 2200, 1430
    path = raster(tmp_path / "a.tif", noise(3, 128, 128), MERCATOR.transform(z, x, y), "EPSG:3857")
    with Scene.open(path) as plain, Scene.open(path, options=SceneOptions(nodata=value)) as scene:
        tile = map_tile(scene, PLAIN, MERCATOR, z, x, y)
        assert np.array_equal(tile, map_tile(plain, PLAIN, MERCATOR, z, x, y))
    assert (tile[..., 3] > 0).mean() == pytest.approx(0.25, abs=0.01), "a quarter of it is scene, the rest clear"
