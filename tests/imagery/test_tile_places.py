"""Where tiles lie on the ground, and what they are called."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Transformer
from synthetic import UTM, cut, noise, raster

from geocmer.imagery.grid import Grid
from geocmer.imagery.ids import scene_id, tile_ids
from geocmer.imagery.scene import Scene

# -- where -----------------------------------------------------------------------------------------------------------


def corners(transform: Affine, crs: str, size: int) -> list[tuple[float, float]]:
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    return [to_degrees.transform(*(transform @ at)) for at in ((0, 0), (size, 0), (size, size), (0, size))]


@pytest.mark.parametrize("turn", [0, 30, 200])
def test_a_footprint_follows_the_window_and_the_rotation(tmp_path: Path, turn: float) -> None:
    transform = UTM @ Affine.rotation(turn)
    tiles, _ = cut(raster(tmp_path / "a.tif", noise(3, 64, 96), transform), 32)
    assert len(tiles) == 6
    for tile in tiles:
        place = transform @ Affine.translation(tile.col, tile.row)
        assert tile.transform == place
        expected = shapely.Polygon(corners(place, "EPSG:32633", 32))
        assert shapely.hausdorff_distance(expected, tile.footprint) < 1e-6
        assert isinstance(tile.footprint, shapely.Polygon)
        assert tile.footprint.exterior.is_ccw


def test_the_rotated_file_is_tiled_along_its_rotation(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "rotated.tif"
    shutil.copy(shared_data / "geo" / "rasterio_tests" / "rotated.tif", path)
    with rasterio.open(path, "r+") as file:
        file.crs = "EPSG:32633"
        transform, shape = file.transform, file.shape
    assert transform.b != 0
    tiles, _ = cut(path, 4, min_valid=0)
    whole = shapely.unary_union([tile.footprint.buffer(1e-12) for tile in tiles])
    place = transform @ Affine.scale(shape[1], shape[0])
    assert shapely.hausdorff_distance(whole, shapely.Polygon(corners(place, "EPSG:32633", 1))) < 1e-5


def test_quarters_of_a_scene_lie_where_the_scene_lies(shared_data: Path) -> None:
    """Their CRS is WKT without a code."""
    folder = shared_data / "geo" / "rasterio_tests"
    outlines = []
    for number in range(1, 5):
        tiles, reader = cut(folder / f"rgb{number}.tif", 64, min_valid=0)
        assert reader.report.covered == 1
        outlines += [tile.footprint for tile in tiles]
    with rasterio.open(folder / "RGB.byte.tif") as whole:
        to_degrees = Transformer.from_crs(whole.crs, "EPSG:4326", always_xy=True)
        left, bottom, right, top = whole.bounds
        bounds = to_degrees.transform_bounds(left, bottom, right, top, densify_pts=101)
    found = shapely.total_bounds(np.array(outlines))
    assert found[0] >= bounds[0] - 1e-3
    assert found[1] >= bounds[1] - 1e-3
    assert found[2] <= bounds[2] + 1e-3
    assert found[3] <= bounds[3] + 1e-3


# -- names -----------------------------------------------------------------------------------------------------------


def test_the_same_tile_has_the_same_name_and_another_another(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(4, 64, 96))
    copy = tmp_path / "copy, \"quoted'; Ü.tif"
    shutil.copy(path, copy)
    first = {tile.id for tile in cut(path, 32)[0]}
    assert len(first) == 6
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in first)
    assert {tile.id for tile in cut(copy, 32)[0]} == first
    assert first < {tile.id for tile in cut(path, 32, 16)[0]}, "a finer stride has the coarse tiles too"
    for more in ({"bands": (3, 2, 1)}, {"gsd": 20.0}):
        assert not first & {tile.id for tile in cut(path, 32, **more)[0]}
    assert not first & {tile.id for tile in cut(path, 31)[0]}
    other = raster(tmp_path / "b.tif", noise(4, 64, 96, seed=1))
    assert not first & {tile.id for tile in cut(other, 32)[0]}


def test_names_of_scenes_tell_grids_apart(tmp_path: Path) -> None:
    with Scene.open(raster(tmp_path / "a.tif", noise(3, 64, 96))) as scene:
        grids = [Grid.over(scene, 32), Grid.over(scene, 32, 16), Grid.over(scene, 16), Grid.over(scene, 32, gsd=20)]
        names = {scene_id("c0" * 16, scene.bands, grid) for grid in grids}
        assert len(names) == 4
        assert tile_ids("c0" * 16, scene.bands, grids[0])(0, 0) not in names
