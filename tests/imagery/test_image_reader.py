"""Image files of every depth show what they hold: a ramp stays a ramp, and only what is no image is refused."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from geocmer.errors import InputError
from geocmer.imagery.image_reader import MAX_SIDE_PIXELS, read_rgb, read_sides
from geocmer.imagery.images import ImageFile

RAMP = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint16)  # 0..126
RNG = np.random.default_rng(0)


def _correlation(pixels: NDArray[np.uint8], truth: NDArray[np.generic]) -> float:
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    return float(np.corrcoef(pixels.mean(-1).ravel(), truth.astype(float).ravel())[0, 1])


def _tif(path: Path, array: NDArray[np.generic], **options: object) -> Path:
    colours = options.pop("colorinterp", None)
    profile = {"driver": "GTiff", "count": len(array), "height": array.shape[1], "width": array.shape[2]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "w", dtype=array.dtype, **profile, **options) as dataset:
            if colours:
                dataset.colorinterp = colours
            dataset.write(array)
    return path


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("g16.png", (RAMP * 500).astype(np.uint16)), ("g16.tif", (RAMP * 500).astype(np.uint16)),
        ("i32.tif", (RAMP * 500).astype(np.int32)), ("f01.tif", (RAMP / 126).astype(np.float32)),
        ("f32.tif", (RAMP * 500).astype(np.float32)), ("g8.png", RAMP.astype(np.uint8)),
        ("g8.tif", RAMP.astype(np.uint8)), ("12bit.png", (RAMP * 32).astype(np.uint16)),
        ("g8.bmp", RAMP.astype(np.uint8)),
    ],
)  # fmt: skip
def test_a_ramp_of_any_depth_is_a_ramp(tmp_path: Path, name: str, array: NDArray[np.generic]) -> None:
    Image.fromarray(array).save(tmp_path / name)
    assert _correlation(read_rgb(tmp_path / name), RAMP) > 0.99
    assert ImageFile(tmp_path / name).pixels(32).shape == (32, 32, 3)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("place", [{}, {"crs": "EPSG:32617", "transform": from_origin(0, 0, 1, 1)}])
def test_chips_of_any_bands_and_type_are_read(tmp_path: Path, bands: int, dtype: str, place: dict[str, object]) -> None:
    array = np.stack([RAMP * (band + 1) % 200 + 1 for band in range(bands)])  # a fourth of 8 bits is alpha
    array = array.astype(dtype)
    pixels = read_rgb(_tif(tmp_path / "a.tif", array, **place))
    for band in range(3):
        shown = array[band if bands >= 3 else 0].astype(float)
        assert np.corrcoef(pixels[..., band].ravel(), shown.ravel())[0, 1] > 0.99


def test_eight_bits_stay_as_they_are(tmp_path: Path) -> None:
    truth = RNG.integers(0, 255, (40, 30, 3), dtype=np.uint8)
    for name in ("a.png", "a.bmp", "a.tif"):
        Image.fromarray(truth).save(tmp_path / name)
        np.testing.assert_array_equal(read_rgb(tmp_path / name), truth)


def test_red_green_and_blue_are_found_by_their_colours(tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (4, 20, 20), dtype=np.uint8)
    colours = [ColorInterp.undefined, ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    path = _tif(tmp_path / "a.tif", array, colorinterp=colours)
    np.testing.assert_array_equal(read_rgb(path), array[[3, 2, 1]].transpose(1, 2, 0))


def test_red_green_and_blue_are_found_by_the_names_of_the_bands(tmp_path: Path) -> None:
    array = np.stack([RAMP * (band + 1) % 200 + 1 for band in range(13)]).astype(np.uint16)
    path = _tif(tmp_path / "a.tif", array)
    names = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    pixels = read_rgb(path)
    for channel, band in enumerate((3, 2, 1)):  # Sentinel-2: red is B4
        assert np.corrcoef(pixels[..., channel].ravel(), array[band].ravel().astype(float))[0, 1] > 0.99


def test_sixteen_bits_of_colour_are_stretched_not_cut(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + np.repeat(row[:, None], 3, 1).astype(">u2").tobytes() for row in RAMP * 20)  # up to 2520

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    pixels = read_rgb(tmp_path / "a.png")
    assert _correlation(pixels, RAMP) > 0.99
    assert pixels.max() == 255


def test_transparent_and_invalid_pixels_are_mirrored_ground(tmp_path: Path) -> None:
    rgba = RNG.integers(1, 255, (20, 20, 4), dtype=np.uint8)
    rgba[:10, :, 3], rgba[10:, :, 3] = 0, 255
    for name in ("a.png", "a.tif"):
        Image.fromarray(rgba, "RGBA").save(tmp_path / name)
        pixels = read_rgb(tmp_path / name)
        np.testing.assert_array_equal(pixels[1:10], rgba[19:10:-1, :, :3])
        np.testing.assert_array_equal(pixels[10:], rgba[10:, :, :3])
    array = np.stack([RAMP] * 3).astype(np.float32)
    array[:, :8] = np.nan
    pixels = read_rgb(_tif(tmp_path / "nan.tif", array))
    np.testing.assert_array_equal(pixels[:8], pixels[16:8:-1])
    assert _correlation(pixels[8:], RAMP[8:]) > 0.99


@pytest.mark.parametrize("name", ["a.png", "a.tif", "big.tif", "deep.png", "deep.tif"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, lambda a: a.T),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a.T, 2)),
        (8, np.rot90),
        (9, lambda a: a),
    ],
)
def test_an_image_is_turned_as_its_exif_says(tmp_path: Path, name: str, orientation: int, turn: Any) -> None:
    truth = RNG.integers(0, 2, (16, 32), dtype=np.uint8) * np.uint8(255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = truth.astype(np.uint16) * 100 if name.startswith("deep") else truth
    more: dict[str, Any] = {"big_tiff": True} if name == "big.tif" else {}
    Image.fromarray(stored).save(tmp_path / name, exif=exif, **more)
    np.testing.assert_array_equal(read_rgb(tmp_path / name)[..., 0], turn(truth))
    assert sorted(read_sides(tmp_path / name)) == [16, 32]


def test_rows_of_a_map_stay_as_they_are(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[33550], exif[33922] = (10.0, 10.0, 0.0), (0.0, 0.0, 0.0, 7e5, 4e6, 0.0)  # pixel scale and a tie point
    truth = RNG.integers(0, 255, (8, 12, 3), dtype=np.uint8)
    Image.fromarray(truth).save(tmp_path / "a.tif", tiffinfo=exif)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.tif"), truth)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_reach_from_black_to_white(tmp_path: Path, bits: int) -> None:
    gray = RNG.integers(0, 2**bits, (1, 20, 20), dtype=np.uint8)
    for photometric in ("MINISBLACK", "MINISWHITE"):
        with rasterio.open(
            tmp_path / "a.tif", "w", "GTiff", 20, 20, 1, dtype="uint8", nbits=bits, photometric=photometric
        ) as dataset:
            dataset.write(gray)
        shown = gray[0].astype(int) if photometric == "MINISBLACK" else 2**bits - 1 - gray[0].astype(int)
        np.testing.assert_array_equal(read_rgb(tmp_path / "a.tif")[..., 0], shown * 255 // (2**bits - 1))


def test_nodata_that_nothing_declares_is_left_out_of_the_stretch(tmp_path: Path) -> None:
    array = np.stack([RAMP] * 3).astype(np.float32)
    array[:, :, :20] = -9999
    pixels = read_rgb(_tif(tmp_path / "a.tif", array))
    assert _correlation(pixels[:, 20:], RAMP[:, 20:]) > 0.99


def test_the_sides_of_an_image_too_large_for_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("L", (40, 30)).save(tmp_path / "a.png")
    assert read_sides(tmp_path / "a.png") == (40, 30)


def test_palettes_show_their_colours(tmp_path: Path) -> None:
    indices = RNG.integers(0, 3, (20, 20), dtype=np.uint8)
    colours = np.array([(200, 10, 10), (10, 200, 10), (10, 10, 200)], np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette(colours.tobytes())
    for name in ("a.png", "a.tif"):
        image.save(tmp_path / name)
        np.testing.assert_array_equal(read_rgb(tmp_path / name), colours[indices])


def test_a_huge_image_is_averaged_down_without_a_warning(tmp_path: Path) -> None:
    Image.fromarray(np.full((100, 100), 77, np.uint8)).resize((10_000, 10_000)).save(
        tmp_path / "a.png", compress_level=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = read_rgb(tmp_path / "a.png")
    assert pixels.shape == (MAX_SIDE_PIXELS, MAX_SIDE_PIXELS, 3)
    assert (pixels == 77).all()


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"II*\0" + b"\xff" * 40])
def test_what_is_no_image_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png is not a readable image") as caught:
        read_rgb(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


def test_damaged_and_empty_images_are_refused(tmp_path: Path) -> None:
    Image.fromarray(RNG.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:2000])
    with pytest.raises(InputError, match="is not a readable image"):
        read_rgb(tmp_path / "a.png")
    with pytest.raises(InputError, match="does not exist"):
        read_rgb(tmp_path / "b.png")
    for place in (tmp_path, tmp_path / ("long" * 100), Path("nul\0.png")):
        with pytest.raises(InputError, match="is no file"):
            read_rgb(place)
    Image.new("RGBA", (8, 8), (200, 100, 50, 0)).save(tmp_path / "clear.png")
    with pytest.raises(InputError, match="no valid pixel"):
        read_rgb(tmp_path / "clear.png")
    with pytest.raises(InputError, match="no valid pixel"):
        read_rgb(_tif(tmp_path / "nan.tif", np.full((1, 8, 8), np.nan, np.float32)))
    with pytest.raises(InputError, match="complex values"):
        read_rgb(_tif(tmp_path / "c.tif", np.ones((1, 8, 8), np.complex64)))
