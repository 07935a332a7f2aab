"""Tiles, their grid and their report against rasterio, pyproj and plain counting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.windows import Window
from synthetic import cut, noise, raster

from geocmer.errors import GeocmerError, InputError
from geocmer.imagery import tiling
from geocmer.imagery.grid import Grid
from geocmer.imagery.scene import Scene
from geocmer.imagery.tiling import TileReader

ANY_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(12))


# -- the grid --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beyond", [{"size": 10**6}, {"gsd": 1e-9}, {"gsd": 0.0}, {"size": 8, "stride": 9}])
def test_a_grid_beyond_sense_is_refused(tmp_path: Path, beyond: dict[str, Any]) -> None:
    with (
        Scene.open(raster(tmp_path / "a.tif", noise(1, 64, 64))) as scene,
        pytest.raises(InputError, match=r"give|positive"),
    ):
        Grid.over(scene, **beyond)


@ANY_FOLDER
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.data())
def test_every_pixel_is_in_a_window_and_no_window_leaves_the_scene(
    tmp_path: Path, width: int, height: int, size: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, size))
    with Scene.open(raster(tmp_path / "a.tif", np.ones((1, height, width), "uint8"))) as scene:
        grid = Grid.over(scene, size, stride)
    seen = np.zeros((height, width), bool)
    windows = list(grid.windows())
    for row, col in windows:
        seen[row : row + size, col : col + size] = True
        assert 0 <= row <= max(0, height - size)
        assert 0 <= col <= max(0, width - size)
    assert seen.all()
    assert len(windows) == len(set(windows)) == len(grid)
    assert windows == sorted(windows)
    regular = {(row, col) for row in range(0, height - size + 1, stride) for col in range(0, width - size + 1, stride)}
    assert regular <= set(windows)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"stride": 0}, {"size": 8, "stride": 9}, {"gsd": 0}, {"gsd": np.nan}])
def test_a_grid_with_gaps_or_of_nothing_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with Scene.open(raster(tmp_path / "a.tif", noise(1, 9, 9))) as scene, pytest.raises(GeocmerError):
        Grid.over(scene, **wrong)


def test_a_share_beyond_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeocmerError, match="min-valid"):
        cut(raster(tmp_path / "a.tif", noise(1, 9, 9)), 4, min_valid=1.5)


# -- the report -----------------------------------------------------------------------------------------------------


@ANY_FOLDER
@given(st.integers(5, 60), st.integers(5, 60), st.integers(3, 20), st.floats(0, 1), st.integers(0, 99), st.data())
def test_the_report_is_what_counting_gives(
    tmp_path: Path, width: int, height: int, size: int, least: float, seed: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, size))
    random = np.random.default_rng(seed)
    coarse = random.random((height // 4 + 1, width // 4 + 1)) < random.random()
    valid = np.kron(coarse, np.ones((4, 4), bool))[:height, :width]
    valid[0, 0] = True
    path = raster(tmp_path / "a.tif", np.where(valid, noise(3, height, width), 0).astype("uint8"), nodata=0)
    tiles, reader = cut(path, size, stride, min_valid=least)

    made, kept, lost = {}, np.zeros((height, width), bool), {"none": 0, "few": 0}
    for row, col in reader.grid.windows():
        inside = valid[row : row + size, col : col + size]
        share = inside.sum() / size**2
        if share > 0 and share >= least:
            made[row, col] = share
            kept[row : row + size, col : col + size] = True
        else:
            lost["few" if share else "none"] += 1
    assert {(tile.row, tile.col): tile.valid_share for tile in tiles} == pytest.approx(made)
    report = reader.report
    assert (report.total, report.made) == (len(reader.grid), len(made))
    assert sum(report.dropped.values()) == report.total - report.made
    assert report.dropped.get("no valid pixel", 0) == lost["none"]
    assert report.covered == pytest.approx((kept & valid).sum() / valid.sum())
    for tile in tiles:
        whole = np.zeros((size, size), bool)
        inside = valid[tile.row : tile.row + size, tile.col : tile.col + size]
        whole[: inside.shape[0], : inside.shape[1]] = inside
        assert np.array_equal(tile.valid, whole)
        assert (tile.pixels[~tile.valid] == 0).all()


def test_the_report_reads_well(tmp_path: Path) -> None:
    array = noise(3, 64, 96)
    array[:, :, :40] = 0
    _, reader = cut(raster(tmp_path / "a.tif", array, nodata=0), 32)
    assert reader.report.lines() == [
        "4 of 6 tiles made, 100.0% of the valid area covered",
        "2 dropped: no valid pixel",
        "the tiles divide the scene without a rest, so every pixel is in a tile",
    ]
    for side, note in ((33, "shifted inward"), (31, "padded"), (64, "without a rest")):
        _, reader = cut(raster(tmp_path / f"{side}.tif", noise(3, 64, side)), 32)
        assert note in reader.report.edge_note


# -- pixels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32"])
@pytest.mark.parametrize("stride", [32, 11])
def test_a_tile_is_the_stretched_window_and_overlaps_are_equal(tmp_path: Path, dtype: str, stride: int) -> None:
    array = noise(4, 75, 90, dtype=dtype)
    array[:, 20:40, 50:60] = -1 if dtype != "uint8" and dtype != "uint16" else 0
    path = raster(tmp_path / "a.tif", array, nodata=float(array[0, 20, 50]))
    tiles, reader = cut(path, 32, stride, bands=(4, 2, 1), min_valid=0)
    picture = np.zeros((75, 90, 3), int)
    seen = np.zeros((75, 90), bool)
    with rasterio.open(path) as direct:
        for tile in tiles:
            data = direct.read([4, 2, 1], window=Window(tile.col, tile.row, 32, 32)).astype(float)
            low, high = np.array(reader.stretch.low), np.array(reader.stretch.high)
            expected = np.clip((data - low[:, None, None]) / (high - low)[:, None, None], 0, 1) * 255
            shown = tile.pixels.transpose(2, 0, 1)
            assert np.abs(shown - expected)[:, tile.valid].max() <= 0.5 + 1e-6
            here = slice(tile.row, tile.row + 32), slice(tile.col, tile.col + 32)
            old = seen[here]
            assert np.array_equal(picture[here][old], tile.pixels[old])
            picture[here], seen[here] = tile.pixels, True
    assert seen.all()


def test_overlapping_tiles_of_a_resampled_scene_are_equal_too(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 300, 260, dtype="uint16"))
    tiles, reader = cut(path, 24, 7, gsd=33.7, min_valid=0)
    picture = np.full((reader.grid.height, reader.grid.width, 3), -1)
    for tile in tiles:
        here = slice(tile.row, tile.row + 24), slice(tile.col, tile.col + 24)
        old = picture[here][..., 0] >= 0
        assert np.array_equal(picture[here][old], tile.pixels[old])
        picture[here] = tile.pixels


def test_resampling_averages_as_rasterio_does(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 240, 160, dtype="uint16"))
    with Scene.open(path) as scene:
        gsd = scene.gsd
    tiles, reader = cut(path, 30, gsd=4 * gsd, min_valid=0)
    assert (reader.grid.width, reader.grid.height) == (40, 60)
    assert reader.grid.gsd == pytest.approx(4 * gsd)
    with rasterio.open(path) as direct:
        whole = direct.read(out_shape=(3, 60, 40), resampling=Resampling.average)
        assert np.abs(whole - direct.read().reshape(3, 60, 4, 40, 4).mean((2, 4))).max() <= 0.5
    for tile in tiles:
        part = whole[:, tile.row : tile.row + 30, tile.col : tile.col + 30]
        assert np.array_equal(tile.pixels.transpose(2, 0, 1), reader.stretch.apply(part, np.ones((30, 30), bool)))


def test_a_scene_smaller_than_a_tile_is_padded(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 20, 30))
    (tile,), reader = cut(path, 32)
    assert "padded" in reader.report.lines()[-1]
    assert tile.valid.sum() == 600
    assert tile.valid[:20, :30].all()
    assert tile.pixels.shape == (32, 32, 3)
    assert tile.valid_share == 600 / 1024
    tiles, reader = cut(path, 224)
    assert tiles == []
    assert reader.report.dropped == {"valid share under 0.5": 1}


def test_a_window_can_be_cut_again(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 70, 90))
    for more in ({}, {"gsd": 17.0}):
        with Scene.open(path) as scene:
            reader = TileReader(scene, Grid.over(scene, 32, 20, **more), scene.stretch())
            for tile in list(reader):
                assert np.array_equal(reader.pixels(tile.row, tile.col), tile.pixels)


def test_what_is_skipped_counts_but_is_not_returned(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 64, 96))
    everything, full = cut(path, 32)
    gone, told = {everything[0].id, everything[3].id}, []
    rest, reader = cut(path, 32, skip=gone.__contains__, on_window=lambda done, total: told.append((done, total)))
    assert [tile.id for tile in rest] == [tile.id for tile in everything if tile.id not in gone]
    assert reader.report == full.report
    assert told == [(i, 6) for i in range(1, 7)]


@pytest.mark.parametrize(("width", "height", "size"), [(9000, 70, 32), (100, 5000, 32), (5000, 400, 300)])
def test_no_read_grows_with_the_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, height: int, size: int
) -> None:
    read = Scene.read
    shapes: list[tuple[int, ...]] = []

    def spy(scene: Scene, window: Window, *rest: Any) -> tuple[np.ndarray, np.ndarray]:
        data, valid = read(scene, window, *rest)
        shapes.append(valid.shape)
        return data, valid

    path = raster(tmp_path / "a.tif", np.ones((1, height, width), "uint8"))
    with Scene.open(path) as scene:
        stretch = scene.stretch()
        monkeypatch.setattr(Scene, "read", spy)
        reader = TileReader(scene, Grid.over(scene, size), stretch)
        assert sum(1 for _ in reader) == len(reader.grid)
    assert max(h for h, _ in shapes) <= size
    assert max(w for _, w in shapes) <= tiling.BLOCK_WIDTH_PIXELS
    assert len(shapes) < len(reader.grid) / 2 or size > 200  # and tiles are read together
