"""The stretch of a scene against numpy used directly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window
from synthetic import noise, raster

from geocmer.errors import GeocmerError
from geocmer.imagery.scene import Scene
from geocmer.imagery.stretch import Stretch


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_the_stretch_is_numpys_percentiles_of_the_valid_pixels(tmp_path: Path, dtype: str) -> None:
    array = noise(3, 40, 30, dtype=dtype)
    array[:, :10] = 0  # would drag the lower percentile down
    with Scene.open(raster(tmp_path / "a.tif", array, nodata=0)) as scene:
        stretch = scene.stretch()
        data, valid = scene.read(Window(0, 0, 30, 40))
    seen = array[:, (array != 0).all(0)].astype(float)
    low, high = np.percentile(seen, (2, 98), axis=1)
    assert stretch.low == pytest.approx(low)
    assert stretch.high == pytest.approx(high)
    expected = np.clip((array - low[:, None, None]) / (high - low)[:, None, None], 0, 1) * 255
    shown = stretch.apply(data, valid)
    assert shown.dtype == np.uint8
    assert np.abs(shown[:, valid] - expected[:, valid]).max() <= 0.5 + 1e-6


@given(
    st.sampled_from(["uint8", "int8", "uint16", "int16"]),
    st.floats(-40_000, 70_000),
    st.floats(0, 70_000),
    st.integers(0, 1000),
)
def test_looking_values_up_gives_what_computing_gives(dtype: str, low: float, span: float, seed: int) -> None:
    info = np.iinfo(dtype)
    array = np.random.default_rng(seed).integers(info.min, info.max + 1, (3, 5, 7)).astype(dtype)
    stretch, valid = Stretch((low,) * 3, (low + span,) * 3), np.ones((5, 7), bool)
    assert np.array_equal(stretch.apply(array, valid), stretch.apply(array.astype(np.float64), valid))
    assert np.array_equal(stretch.apply(array[:, ::2, 1:], valid[::2, 1:]), stretch.apply(array, valid)[:, ::2, 1:])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
@pytest.mark.parametrize("width", [50_000, 700])
def test_a_stretch_in_parts_is_the_stretch_of_all_with_the_bands_of_a_pixel_together(dtype: str, width: int) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 120, (3, 90, width)).astype(dtype)
    valid = rng.random((90, width)) < 0.9
    if dtype == "float32":
        array[:, ~valid] = rng.choice(np.array([np.nan, np.inf, -np.inf], dtype), (3, int((~valid).sum())))
    low, high = np.array([3.0, 10.0, 90.0])[:, None, None], np.array([100.0, 10.0, 20.0])[:, None, None]
    share = (np.where(valid, array, 0).astype(float) - low) / np.where(high == low, 1, high - low)
    expected = np.where(valid, np.rint(np.clip(share * 255, 0, 255)), 0)
    shown = Stretch(tuple(low.ravel()), tuple(high.ravel())).apply(array, valid)
    assert np.array_equal(shown, expected)
    assert shown.transpose(1, 2, 0).flags.c_contiguous


def test_a_flat_scene_is_black_and_a_scene_of_nothing_is_refused(tmp_path: Path) -> None:
    with Scene.open(raster(tmp_path / "flat.tif", np.full((3, 5, 5), 7, "uint8"))) as scene:
        assert (scene.stretch().apply(*scene.read(Window(0, 0, 5, 5))) == 0).all()
    empty = raster(tmp_path / "empty.tif", np.zeros((3, 5, 5), "uint8"), nodata=0)
    with Scene.open(empty) as scene, pytest.raises(GeocmerError, match="no valid pixel"):
        scene.stretch()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=6, max_size=6))
def test_a_stretch_survives_its_record(numbers: list[float]) -> None:
    stretch = Stretch(tuple(numbers[:3]), tuple(numbers[3:]))
    assert Stretch.from_json(stretch.to_json()) == stretch
