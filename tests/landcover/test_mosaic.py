"""A folder of land-cover rasters as one layer: against the whole raster that its parts were cut from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from synthetic import UTM, noise, raster

from geocmer.errors import GeocmerError
from geocmer.imagery.grid import Grid
from geocmer.imagery.scene import Scene
from geocmer.imagery.tiling import TileReader
from geocmer.landcover.layer import LandCover

SIDE, MARGIN = 64, 16
COVER = UTM @ Affine.translation(-MARGIN, -MARGIN)


@pytest.fixture
def legend(tmp_path: Path) -> Path:
    path = tmp_path / "legend.json"
    classes = [{"code": code, "label": f"class {code}"} for code in range(1, 6)]
    path.write_text(json.dumps({"classes": classes, "nodata": [0]}))
    return path


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return raster(tmp_path / "scene.tif", noise(3, SIDE, SIDE))


def shares(scene: Path, cover: LandCover, size: int = 16) -> list[tuple[Mapping[str, float], float]]:
    with Scene.open(scene) as opened:
        grid = Grid.over(opened, size)
        cover.fit(grid)
        found = [cover.fractions(tile) for tile in TileReader(opened, grid, opened.stretch(), 0)]
    return [(one.shares, one.coverage) for one in found]


def codes(seed: int = 0, high: int = 6) -> np.ndarray:
    side = SIDE + 2 * MARGIN
    return np.random.default_rng(seed).integers(0, high, (1, side, side)).astype("uint8")


def cut(folder: Path, whole: np.ndarray, name: str, top: int, left: int, height: int, width: int) -> Path:
    folder.mkdir(exist_ok=True)
    part = whole[:, top : top + height, left : left + width]
    return raster(folder / name, part, COVER @ Affine.translation(left, top))


@settings(max_examples=examples(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(1, 95), columns=st.integers(1, 95), overlap=st.integers(0, 9), seed=st.integers(0, 99))
def test_parts_give_what_the_whole_gives(
    tmp_path: Path, legend: Path, scene: Path, rows: int, columns: int, overlap: int, seed: int
) -> None:
    whole, folder = codes(seed), tmp_path / "parts"
    side = whole.shape[1]
    for number, (top, height) in enumerate([(0, min(side, rows + overlap)), (rows, side - rows)]):
        cut(folder, whole, f"{number}a.tif", top, 0, height, min(side, columns + overlap))
        cut(folder, whole, f"{number}b.tif", top, columns, height, side - columns)
    cut(folder / "deeper", whole, "far.tif", 0, 0, 3, 3)
    raster(folder / "elsewhere.tif", np.full((1, 9, 9), 5, "uint8"), COVER @ Affine.translation(90_000, 0))
    single = raster(tmp_path / "whole.tif", whole, COVER)
    expected = shares(scene, LandCover.open(single, legend))
    assert shares(scene, LandCover.open(folder, legend)) == expected
    assert shares(scene, LandCover.open(tmp_path / "parts/**/*.tif", legend)) == expected


def test_parts_in_other_crs_and_of_other_pixels_are_one_layer(tmp_path: Path, legend: Path, scene: Path) -> None:
    """West of a meridian the one, east of it the other: shares follow from where the pixels' centres lie."""
    folder = tmp_path / "parts"
    folder.mkdir()
    to_degrees = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    columns, rows = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    x, y = UTM @ (columns, rows)
    lon, lat = to_degrees.transform(x, y)
    middle, step = float(np.median(lon)), 1e-4
    degrees = Affine(step, 0, middle, 0, -step, lat.max() + 10 * step)
    height = int((lat.max() - lat.min()) / step) + 20
    raster(folder / "east.tif", np.full((1, height, 400), 2, "uint16"), degrees, "EPSG:4326")
    to_neighbour = Transformer.from_crs("EPSG:32633", "EPSG:32634", always_xy=True)
    nx, ny = to_neighbour.transform(x, y)
    place = Affine(5, 0, nx.min() - 1000, 0, -5, ny.max() + 1000)
    size = int((nx.max() - nx.min() + 2000) / 5), int((ny.max() - ny.min() + 2000) / 5)
    raster(folder / "world.tif", np.full((1, size[1], size[0]), 1, "uint8"), place, "EPSG:32634")
    found = shares(scene, LandCover.open(folder, legend), SIDE)
    east = float((lon >= middle).mean())
    assert found[0][0] == pytest.approx({"class 2": east, "class 1": 1 - east}, abs=2 / SIDE)
    assert found[0][1] == 1


def test_a_hole_of_one_is_filled_by_another(tmp_path: Path, legend: Path, scene: Path) -> None:
    folder, whole = tmp_path / "parts", np.full((1, SIDE, SIDE), 3, "uint8")
    folder.mkdir()
    holes = whole.copy()
    holes[:, :, :32] = 0  # that it is no data only the legend says
    raster(folder / "a.tif", holes)
    raster(folder / "b.tif", np.full((1, SIDE, SIDE), 4, "uint8"))
    assert shares(scene, LandCover.open(folder, legend), SIDE) == [({"class 3": 0.5, "class 4": 0.5}, 1)]


def test_a_map_of_the_world_lies_under_every_scene(tmp_path: Path, legend: Path, scene: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    raster(folder / "world.tif", np.full((1, 180, 360), 2, "uint8"), Affine(1, 0, -180, 0, -1, 90), "EPSG:4326")
    raster(folder / "shifted.tif", np.full((1, 180, 360), 3, "uint8"), Affine(1, 0, 0, 0, -1, 90), "EPSG:4326")
    assert shares(scene, LandCover.open(folder, legend), SIDE) == [({"class 3": 1}, 1)]


def test_one_layer_serves_many_scenes_and_notices_another_file(tmp_path: Path, legend: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    scenes = []
    for number in range(3):
        place = UTM @ Affine.translation(number * 1000, 0)
        raster(folder / f"{number}.tif", np.full((1, SIDE, SIDE), number + 1, "uint8"), place)
        scenes.append(raster(tmp_path / f"scene {number}.tif", noise(3, SIDE, SIDE), place))
    cover = LandCover.open(folder, legend)
    for number in (0, 1, 2, 0):
        assert shares(scenes[number], cover, SIDE) == [({f"class {number + 1}": 1}, 1)]
    assert LandCover.open(folder, legend).hash == cover.hash
    raster(folder / "2.tif", np.full((1, SIDE, SIDE), 5, "uint8"), UTM @ Affine.translation(2000, 0))
    assert LandCover.open(folder, legend).hash != cover.hash


def test_what_is_no_layer_is_refused_in_one_line(tmp_path: Path, legend: Path, scene: Path) -> None:
    empty, two = tmp_path / "empty", tmp_path / "two"
    empty.mkdir()
    two.mkdir()
    for name, colour in (("a.tif", (1, 2, 3, 255)), ("b.tif", (9, 2, 3, 255))):
        with rasterio.open(raster(two / name, np.ones((1, 9, 9), "uint8")), "r+") as file:
            file.write_colormap(1, {1: colour} if name == "a.tif" else {1: colour, 2: colour})
    far = tmp_path / "far"
    far.mkdir()
    raster(far / "a.tif", np.ones((1, 9, 9), "uint8"), UTM @ Affine.translation(9000, 0))
    for path, more, said in (
        (empty, {"legend": legend}, "holds no raster"),
        (tmp_path / "*.nothing", {"legend": legend}, "holds no raster"),
        (two, {"class_column": "a"}, "--class-column"),
        (two, {}, "differently"),
    ):
        with pytest.raises(GeocmerError, match=said) as caught:
            LandCover.open(path, **more)
        assert "\n" not in str(caught.value)
    with pytest.raises(GeocmerError, match="does not overlap the scene"):
        shares(scene, LandCover.open(far, legend))
