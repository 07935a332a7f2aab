"""Scenes against rasterio and numpy used directly."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Geod
from rasterio.enums import ColorInterp
from rasterio.windows import Window
from synthetic import UTM, noise, raster

from geocmer.errors import GeocmerError
from geocmer.imagery.bands import parse_bands
from geocmer.imagery.scene import Scene

RED, GREEN, BLUE, ALPHA = ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha


# -- bands -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "colours", "asked", "bands", "said"),
    [
        (3, None, None, (1, 2, 3), "no band declares its colour"),
        (13, None, None, (1, 2, 3), "choose others with --bands, as 4,3,2 for Sentinel-2"),
        (7, None, None, (1, 2, 3), "as 4,3,2 for Landsat 8/9, Landsat 8; 3,2,1 for Landsat 4-7"),
        (4, (BLUE, GREEN, RED, ColorInterp.undefined), None, (3, 2, 1), "by colour interpretation"),
        (4, (RED, GREEN, BLUE, ALPHA), None, (1, 2, 3), "by colour interpretation"),
        (7, None, (5, 4, 3), (5, 4, 3), "as requested"),
        (1, None, None, (1, 1, 1), "gray"),
        (2, None, None, (1, 1, 1), "gray"),
    ],
)
def test_bands_are_chosen_and_said(
    tmp_path: Path,
    count: int,
    colours: tuple[ColorInterp, ...] | None,
    asked: tuple[int, ...] | None,
    bands: tuple[int, ...],
    said: str,
) -> None:
    more: dict[str, Any] = {"photometric": "minisblack"} if colours is None else {"colours": colours}
    path = raster(tmp_path / "a.tif", noise(count, 8, 9), **more)
    with Scene.open(path, asked) as scene:
        assert scene.bands == bands
        assert said in scene.bands_note
        data, valid = scene.read(Window(0, 0, 9, 8))
    with rasterio.open(path) as direct:
        assert np.array_equal(data, direct.read(list(bands)))
    assert valid.all()


@pytest.mark.parametrize("text", ["", "a", "1,2", "1,2,3,4", "1.5", "1,,2"])
def test_band_lists_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(GeocmerError, match="bands"):
        parse_bands(text)


def test_one_band_stands_for_all_three() -> None:
    assert parse_bands("7") == (7, 7, 7)
    assert parse_bands(" 4, 3,2") == (4, 3, 2)


# -- what is valid ---------------------------------------------------------------------------------------------------


def test_every_kind_of_mask_is_respected(tmp_path: Path) -> None:
    """Nodata, NaN beside it, alpha, an internal mask: each hides the same hole, and nothing else."""
    hole = np.zeros((8, 9), bool)
    hole[2:4, 3:7] = True
    integers, floats = noise(3, 8, 9, dtype="int16"), noise(3, 8, 9).astype("float32")
    gone = np.where(hole, np.nan, floats)
    alpha = np.where(hole, 0, 255).astype("uint8")
    paths = [
        raster(tmp_path / "nodata.tif", np.where(hole, -9999, integers).astype("int16"), nodata=-9999),
        raster(tmp_path / "one band.tif", np.where(hole, -9999, integers[:1]).astype("int16"), nodata=-9999),
        raster(tmp_path / "nan.tif", gone, nodata=np.nan),
        raster(tmp_path / "undeclared nan.tif", gone),
        raster(tmp_path / "nan beside nodata.tif", gone, nodata=-99999),
        raster(tmp_path / "infinite.tif", np.where(hole, np.inf, floats)),
        raster(tmp_path / "mask.tif", noise(3, 8, 9), mask=~hole),
        raster(tmp_path / "alpha.tif", np.stack([*noise(3, 8, 9), alpha]), colours=(RED, GREEN, BLUE, ALPHA)),
        raster(
            tmp_path / "alpha and nodata.tif",
            np.stack([*noise(3, 8, 9), alpha]),
            colours=(RED, GREEN, BLUE, ALPHA),
            nodata=0,
        ),
        raster(tmp_path / "gray and alpha.tif", np.stack([noise(8, 9), alpha]), colours=(ColorInterp.gray, ALPHA)),
    ]
    for path in paths:
        with Scene.open(path) as scene:
            data, valid = scene.read(Window(0, 0, 9, 8))
            assert np.array_equal(valid, ~hole), path.name
            assert data.shape == (3, 8, 9)
            shown = scene.stretch().apply(data, valid)
            assert (shown[:, hole] == 0).all(), path.name
            assert shown[:, ~hole].max() == 255, path.name


# -- where, when, which ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32633", UTM),
        ("EPSG:32633", UTM @ Affine.rotation(30)),
        ("EPSG:4326", Affine(0.001, 0, 12, 0, -0.002, 60)),
        ("EPSG:3857", Affine(10, 0, 0, 0, -10, 8_000_000)),
    ],
)
def test_the_gsd_is_what_two_pixels_lie_apart_on_the_ground(tmp_path: Path, crs: str, transform: Affine) -> None:
    from pyproj import Transformer

    with Scene.open(raster(tmp_path / "a.tif", noise(1, 60, 80), transform, crs)) as scene:
        gsd = scene.gsd
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    at = [to_degrees.transform(*(transform @ p)) for p in ((40, 30), (41, 30), (40, 31))]
    across, down = (Geod(ellps="WGS84").inv(*at[0], *other)[2] for other in at[1:])
    assert gsd == pytest.approx((across * down) ** 0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, None),
        ({"TIFFTAG_DATETIME": "2020:05:01 10:20:30"}, datetime(2020, 5, 1, 10, 20, 30, tzinfo=UTC)),
        ({"ACQUISITION_DATE": "2020-05-01"}, datetime(2020, 5, 1, tzinfo=UTC)),
        ({"datetime": "2020-05-01T10:20:30Z"}, datetime(2020, 5, 1, 10, 20, 30, tzinfo=UTC)),
        ({"TIFFTAG_DATETIME": "yesterday"}, None),
    ],
)
def test_the_time_is_read_where_it_is_told(tmp_path: Path, tags: dict[str, str], expected: datetime | None) -> None:
    with Scene.open(raster(tmp_path / "a.tif", noise(1, 4, 4), tags=tags)) as scene:
        assert scene.datetime == expected


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    a, b = raster(tmp_path / "a.tif", noise(1, 4, 4)), tmp_path / "elsewhere Ü.tif"
    b.write_bytes(a.read_bytes())
    c = raster(tmp_path / "c.tif", noise(1, 4, 4, seed=1))
    hashes = []
    for path in (a, b, c):
        with Scene.open(path) as scene:
            hashes.append(scene.content_hash)
    assert hashes[0] == hashes[1] != hashes[2]


# -- what is no scene ------------------------------------------------------------------------------------------------


def _truncated(path: Path) -> Path:
    raster(path, noise(3, 200, 200), compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


def _text(path: Path) -> Path:
    path.write_text("hello\nworld")
    return path


def _empty(path: Path) -> Path:
    path.touch()
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _short_complex(path: Path) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", width=4, height=4, count=1, dtype="complex_int16", crs="EPSG:32633", transform=UTM
    ):
        return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path, "does not exist"),
        (_text, "not a raster"),
        (_empty, "empty file"),
        (_folder, "a folder"),
        (_truncated, "damaged"),
        (lambda path: raster(path, noise(1, 4, 4), crs=None), "no CRS"),
        (lambda path: raster(path, noise(1, 4, 4).astype("complex64")), "complex"),
        (_short_complex, "complex"),
    ],
)
def test_what_is_no_scene_is_refused_in_one_line(tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    path = make(tmp_path / "scene.tif")
    with pytest.raises(GeocmerError, match=said) as caught:
        Scene.open(path)
    assert "\n" not in str(caught.value)
    assert "scene.tif" in str(caught.value)


def test_a_last_strip_as_short_as_its_rows_is_read(tmp_path: Path) -> None:
    array = noise(1, 31, 40, dtype="uint16")
    path = raster(tmp_path / "a.tif", array, blockysize=3)
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", content, 4)
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", content, start)[0], 12):
        tag, kind, count, at = struct.unpack_from("<HHII", content, entry)
        if tag == 279:  # StripByteCounts: the last strip is said to have three rows, and has one
            form, size = {3: ("<H", 2), 4: ("<I", 4)}[kind]
            struct.pack_into(form, content, at + (count - 1) * size, 3 * 40 * 2)
    strips = max(content.rfind(array[0, -1].tobytes()), 0) + 80
    path.write_bytes(content[:strips] if strips > start else content)
    with Scene.open(path) as scene:
        assert np.array_equal(scene.read(Window(0, 0, 40, 31))[0][0], array[0])


def test_a_band_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 4, 4))
    for bands in ((1, 2, 4), (0, 1, 2), (-1, 1, 2)):
        with pytest.raises(GeocmerError, match="bands 1 to 3"):
            Scene.open(path, bands)


def test_real_files_that_are_damaged_or_odd(shared_data: Path) -> None:
    folder = shared_data / "geo" / "rasterio_tests"
    with pytest.raises(GeocmerError, match=r"corrupt\.tif"):
        Scene.open(folder / "corrupt.tif")
    with pytest.raises(GeocmerError, match="no CRS"):
        Scene.open(folder / "rotated.tif")
    for name in ("rgb1.tif", "rgb4.tif", "RGBA.byte.tif"):
        with Scene.open(folder / name) as scene, rasterio.open(folder / name) as direct:
            assert scene.crs == direct.crs
            assert scene.transform == direct.transform
            _, valid = scene.read(Window(0, 0, scene.width, scene.height))
            assert np.array_equal(valid, direct.dataset_mask() > 0)
