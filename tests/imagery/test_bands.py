"""Which bands are shown, and how: against Pillow and plain arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image
from rasterio.enums import ColorInterp as Colour
from rasterio.windows import Window
from synthetic import noise, raster, shown

from geocmer.errors import InputError
from geocmer.imagery.bands import Rendering, bands_by_name
from geocmer.imagery.colors import palette_of, to_rgb
from geocmer.imagery.scene import Scene
from geocmer.imagery.stretch import StretchRule

WHOLE = Window(0, 0, 40, 30)


@pytest.mark.parametrize("colours", [(Colour.red, Colour.green, Colour.blue), (Colour.gray,)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_alpha_counts_and_is_no_colour(tmp_path: Path, colours: tuple[Colour, ...], dtype: str, extra: int) -> None:
    count = len(colours) + extra + 1
    array = noise(count, 30, 40).astype(dtype)
    array[-1] = 1
    array[:, :, :20] = 0
    path = raster(
        tmp_path / "a.tif",
        array,
        photometric="minisblack",
        colours=(*colours, *[Colour.undefined] * extra, Colour.alpha),
    )
    _, valid, scene = shown(path)
    assert np.array_equal(valid, np.broadcast_to(np.arange(40) >= 20, (30, 40)))
    assert count not in scene.bands


def test_a_palette_is_shown_in_its_colours(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(1, 30, 40) % 4)
    colours = {0: (230, 220, 200, 255), 1: (0, 90, 0, 255), 2: (10, 20, 30, 255), 3: (7, 8, 9, 255)}
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, colours)
    pixels, valid, scene = shown(path)
    expected = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(pixels, expected)
    assert valid.all()
    assert "palette" in scene.bands_note


def test_indices_without_their_palette_are_gray_and_it_is_said(tmp_path: Path) -> None:
    array = noise(1, 30, 40)
    raster(tmp_path / "a.tif", array)
    with rasterio.open(tmp_path / "a.tif") as file:
        rasterio.shutil.copy(file, tmp_path / "a.vrt", driver="VRT")
    text = (tmp_path / "a.vrt").read_text()
    (tmp_path / "a.vrt").write_text(text.replace("<ColorInterp>Gray<", "<ColorInterp>Palette<"))
    with Scene.open(tmp_path / "a.vrt") as scene:
        assert scene._dataset.colorinterp == (Colour.palette,)
        assert np.array_equal(scene.read(WHOLE)[0], array.repeat(3, 0))
        assert "its palette is missing" in scene.bands_note


def test_transparent_entries_of_a_palette_are_holes() -> None:
    palette = palette_of({0: (1, 2, 3, 255), 1: (0, 0, 0, 0), 3: (4, 5, 6, 255)})
    colours, opaque = to_rgb(Rendering.PALETTE, np.array([[[0, 1, 2, 3, 9]]]), palette)
    assert opaque is not None
    assert opaque.tolist() == [[True, False, False, True, False]]
    assert colours[:, 0, [0, 3]].T.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_the_least_value_is_white_where_the_file_says_so(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(1, 30, 40), photometric="miniswhite")
    pixels, _, scene = shown(path, "none")
    assert np.array_equal(pixels[0], np.asarray(Image.open(path).convert("L")))
    assert "inverted" in scene.bands_note


def test_cmyk_is_turned_into_colours(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(4, 30, 40), photometric="cmyk")
    pixels, valid, _ = shown(path, "none")
    expected = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
    assert valid.all()
    assert np.abs(pixels.astype(int) - expected).max() <= 2


@pytest.mark.parametrize(
    ("names", "sensor", "bands"),
    [
        (("blue", "green", "red", "nir"), "", (3, 2, 1)),
        (("Coastal Blue", "Blue", "Green I", "Green", "Yellow", "Red", "Red Edge", "NIR"), "", (6, 4, 2)),
        (("B01", "B02", "B03", "B04", "B08"), "", (4, 3, 2)),
        (("B2", "B3", "B4"), "", (3, 2, 1)),
        (("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7"), "", (4, 3, 2)),
        (("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"), "", (3, 2, 1)),
        (("sur_refl_b01", "sur_refl_b02", "sur_refl_b03", "sur_refl_b04"), "", (1, 4, 3)),
        (("b1", "b2", "b3", "b4"), "", None),
        (("Band_1", "Band_2", "Band_3", "Band_4"), "", None),
        (("near infrared", "red edge", "green"), "", None),
    ],
)
def test_band_names_tell_colours(names: tuple[str, ...], sensor: str, bands: tuple[int, ...] | None) -> None:
    assert bands_by_name({i + 1: name for i, name in enumerate(names)}, sensor) == bands


@pytest.mark.parametrize(
    ("name", "count", "bands"),
    [
        ("LC08_L2SP_016035_20210601_20210608_02_T1.tif", 7, (4, 3, 2)),
        ("LE07_L2SP_016035_20010601_20200917_02_T1.tif", 6, (3, 2, 1)),
        ("20210601_082030_1034_3B_AnalyticMS_SR.tif", 4, (3, 2, 1)),
        ("20210601_082030_55_2414_3B_AnalyticMS_8b.tif", 8, (6, 4, 2)),
        ("S2A_MSIL2A_20210601T082611_N0300_R021_T35TPF.tif", 12, (4, 3, 2)),
        ("m_3907864_sw_17_060_20210912.tif", 4, (1, 2, 3)),
    ],
)
def test_products_tell_the_order_of_their_bands(tmp_path: Path, name: str, count: int, bands: tuple[int, ...]) -> None:
    with Scene.open(raster(tmp_path / name, noise(count, 8, 8, dtype="uint16"), photometric="minisblack")) as scene:
        assert scene.bands == bands


def test_bands_of_several_types_are_read_together(tmp_path: Path) -> None:
    parts = [raster(tmp_path / f"{t}.tif", noise(1, 30, 40).astype(t)) for t in ("uint8", "float32", "uint16")]
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{i + 1}"><SimpleSource><SourceFilename relativeToVRT="1">{part.name}'
        "</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for i, (kind, part) in enumerate(zip(("Byte", "Float32", "UInt16"), parts, strict=True))
    )
    (tmp_path / "m.vrt").write_text(
        '<VRTDataset rasterXSize="40" rasterYSize="30"><SRS>EPSG:32633</SRS><GeoTransform>500000,10,0,5000000,0,-10'
        f"</GeoTransform>{bands}</VRTDataset>"
    )
    with Scene.open(tmp_path / "m.vrt") as scene:
        data, _ = scene.read(WHOLE)
    assert np.array_equal(data, np.stack([rasterio.open(part).read(1).astype(float) for part in parts]))


def test_radar_is_shown_in_decibels(tmp_path: Path) -> None:
    power = np.exp(np.random.default_rng(0).normal(-4, 2, (2, 30, 40))).astype("float32")
    path = raster(tmp_path / "a.tif", power)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("VV", "VH")
    with Scene.open(path) as scene:
        data, _ = scene.read(WHOLE)
        assert "decibel" in scene.bands_note
    assert data[0] == pytest.approx(10 * np.log10(power[0]), abs=1e-4)


def test_an_elevation_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = raster(tmp_path / "heights.tif", noise(1, 30, 40, dtype="int16"))
    with rasterio.open(path, "r+") as file:
        file.set_band_unit(1, "metre")
    with pytest.raises(InputError, match="gdaldem hillshade"):
        Scene.open(path)
    with Scene.open(path, (1, 1, 1)) as scene:
        assert scene.bands == (1, 1, 1)


def test_heights_with_their_uncertainty_are_refused_too(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(2, 30, 40, dtype="float32"))
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("elevation", "uncertainty")
    with pytest.raises(InputError, match="gdaldem hillshade"):
        Scene.open(path)


def test_a_vrt_of_finer_sources_shows_what_gdal_shows(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif", noise(1, 60, 80))
    (tmp_path / "a.vrt").write_text(
        '<VRTDataset rasterXSize="40" rasterYSize="30"><SRS>EPSG:32633</SRS><GeoTransform>500000,20,0,5000000,0,-20'
        '</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">a.tif'
        '</SourceFilename><SrcRect xOff="0" yOff="0" xSize="80" ySize="60"/><DstRect xOff="0" yOff="0" xSize="40" '
        'ySize="30"/></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    with Scene.open(tmp_path / "a.vrt") as scene, rasterio.open(tmp_path / "a.vrt") as direct:
        assert np.array_equal(scene.read(WHOLE)[0][0], direct.read(1))


# -- stretch ---------------------------------------------------------------------------------------------------------


def test_every_stretch_is_what_numpy_gives(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(100, 4000, (3, 30, 40)).astype("uint16")
    path = raster(tmp_path / "a.tif", array)
    flat = array.reshape(3, -1).astype(float)
    for rule, (low, high) in {
        "minmax": (flat.min(1), flat.max(1)),
        "sigma": (flat.mean(1) - 2 * flat.std(1), flat.mean(1) + 2 * flat.std(1)),
        "none": (np.zeros(3), np.full(3, 65535.0)),
        "500,3000": (np.full(3, 500.0), np.full(3, 3000.0)),
    }.items():
        pixels, _, _ = shown(path, rule)
        span = (high - low)[:, None, None]
        expected = np.clip((array - low[:, None, None]) / span, 0, 1) * 255
        assert np.abs(pixels - expected).max() <= 0.5 + 1e-6, rule


def test_a_fixed_stretch_is_in_the_unit_of_the_data(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", np.full((1, 30, 40), 1500, "uint16"))
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.0001,), (-0.1,)  # a reflectance of 0.05
    pixels, _, _ = shown(path, "0,0.1")
    assert (pixels == 128).all()


@pytest.mark.parametrize(("bits", "dtype"), [(1, "uint8"), (4, "uint8"), (12, "uint16")])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_without_a_stretch_few_bits_reach_from_black_to_white(
    tmp_path: Path, bits: int, dtype: str, photometric: str
) -> None:
    top = 2**bits - 1
    array = np.linspace(0, top, 30 * 40).round().astype(dtype).reshape(1, 30, 40)
    pixels, _, _ = shown(raster(tmp_path / "a.tif", array, nbits=bits, photometric=photometric), "none")
    expected = np.rint((array[0] if photometric == "minisblack" else top - array[0]) / top * 255)
    assert np.array_equal(pixels[0], expected)


@pytest.mark.parametrize("text", ["", "linear", "1", "1,1", "1,2,3", "nan,1", "0,inf", "1,2,3,4", "1,2,3,4,5,5"])
def test_what_is_no_stretch_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="stretch"):
        StretchRule.parse(text)
