"""Which pixels are valid: against rasterio's own masks and plain arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp as Colour
from rasterio.windows import Window
from synthetic import noise, raster, shown

from geocmer.imagery.scene import Scene
from geocmer.imagery.scene_options import SceneOptions

WHOLE = Window(0, 0, 40, 30)


@pytest.mark.parametrize(
    ("nodata", "dtype"), [(0, "uint8"), (0, "int16"), (0, "float32"), (255, "uint8"), (65535, "uint16")]
)
def test_a_colour_in_one_band_is_no_hole(tmp_path: Path, nodata: float, dtype: str) -> None:
    array = noise(3, 30, 40).astype(dtype) + np.array(1, dtype)
    array[0, :, :20] = nodata
    array[:, :5] = nodata
    path = raster(tmp_path / "a.tif", array, nodata=nodata)
    _, valid, _ = shown(path)
    with rasterio.open(path) as direct:
        assert np.array_equal(valid, direct.dataset_mask() > 0)


def test_no_measurement_in_one_band_is_a_hole(tmp_path: Path) -> None:
    array = noise(3, 30, 40).astype("float32")
    array[1, :, :20] = -9999
    _, valid, _ = shown(raster(tmp_path / "a.tif", array, nodata=-9999))
    assert np.array_equal(valid, np.broadcast_to(np.arange(40) >= 20, (30, 40)))


def test_a_mask_and_a_nodata_value_both_count(tmp_path: Path) -> None:
    array, mask = noise(3, 30, 40) + np.uint8(1), np.ones((30, 40), bool)
    array[:, :, :20], mask[:8] = 0, False
    _, valid, _ = shown(raster(tmp_path / "a.tif", array, nodata=0, mask=mask))
    assert np.array_equal(valid, mask & (np.arange(40) >= 20))


@pytest.mark.parametrize(("fill", "dtype"), [(-9999, "float32"), (0, "uint16"), (65535, "uint16"), (-32768, "int16")])
def test_undeclared_fill_is_said_and_left_out_of_the_stretch(tmp_path: Path, fill: float, dtype: str) -> None:
    array = (np.random.default_rng(0).integers(30, 200, (3, 30, 40)) * 20).astype(dtype)
    array[:, :8] = fill
    path = raster(tmp_path / "a.tif", array)
    with Scene.open(path) as scene, Scene.open(path, options=SceneOptions(nodata=fill)) as declared:
        assert scene.stretch() == declared.stretch()
        assert any(f"--nodata {fill:g}" in note for note in scene.notes)
        assert not any("--nodata" in note for note in declared.notes)
        assert np.array_equal(declared.read(WHOLE)[1], (array != fill).all(0))
        assert scene.view != declared.view


@pytest.mark.parametrize("told_by", ["nodata", "nan", "mask", "alpha"])
@pytest.mark.parametrize("shape", [(15, 20), (7, 11), (45, 50)])
def test_what_the_user_and_what_the_file_say_is_nodata_both_stay_out_of_averages(
    tmp_path: Path, told_by: str, shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(3)
    array = random.integers(50, 150, (3, 30, 40)).astype("float32" if told_by == "nan" else "int16")
    given, own = random.random((2, 30, 40)) < 0.4
    array[:, given] = -9999
    path = tmp_path / "a.tif"
    if told_by in ("nodata", "nan"):
        fill = {"nodata": -1.0, "nan": float("nan")}[told_by]
        array[:, own & ~given] = fill
        raster(path, array, nodata=fill)
    elif told_by == "mask":
        raster(path, array)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
            file.write_mask(~own)
    else:
        raster(path, np.concatenate([array, np.where(own, 0, 255)[None].astype(array.dtype)]))
        with rasterio.open(path, "r+") as file:
            file.colorinterp = [Colour.red, Colour.green, Colour.blue, Colour.alpha]
    with Scene.open(path, options=SceneOptions(nodata=-9999)) as scene:
        data, valid = scene.read(WHOLE, shape)
    # each pixel as many equal parts, so that parts of pixels can be counted
    known, fine = ~(given | own), (shape[0], 30, shape[1], 40)
    parts = np.where(known, array, 0).repeat(shape[0], 1).repeat(shape[1], 2).reshape(3, *fine).sum((2, 4))
    count = known.repeat(shape[0], 0).repeat(shape[1], 1).reshape(fine).sum((1, 3))
    assert np.array_equal(valid, count > 0)
    mean = parts[:, valid] / count[valid]
    assert np.abs(data[:, valid] - mean).max() <= (1e-4 if told_by == "nan" else 0.5)
