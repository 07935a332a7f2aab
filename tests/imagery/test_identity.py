"""What makes a scene this scene, and when it was taken."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rasterio
from synthetic import noise, raster

from geocmer.errors import InputError
from geocmer.imagery.acquisition import parse_datetime, parse_time
from geocmer.imagery.identity import hash_scene
from geocmer.imagery.scene import Scene
from geocmer.imagery.scene_options import SceneOptions

JUNE = datetime(2021, 6, 1, 8, 20, 30, tzinfo=UTC)
VRT = (
    '<VRTDataset rasterXSize="9" rasterYSize="8"><SRS>EPSG:32633</SRS><GeoTransform>500000,10,0,5000000,0,-10'
    '</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">{}'
    "</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
)


# -- identity --------------------------------------------------------------------------------------------------------


def test_equal_text_over_other_sources_is_another_scene(tmp_path: Path) -> None:
    paths = []
    for number, year in enumerate(("2019", "2020", "copy")):
        (tmp_path / year).mkdir()
        raster(tmp_path / year / "b.tif", noise(1, 8, 9, seed=number % 2))
        (tmp_path / year / "inner.vrt").write_text(VRT.format("b.tif"))
        paths.append(tmp_path / year / "m.vrt")
        paths[-1].write_text(VRT.format("inner.vrt"))
    first, other, copy = map(hash_scene, paths)
    assert first == copy != other
    raster(tmp_path / "2019" / "b.tif", noise(1, 8, 9, seed=7))
    assert hash_scene(paths[0]) != first


@pytest.mark.parametrize("sidecar", [".tfw", ".aux.xml", ".msk"])
def test_an_edited_sidecar_is_seen(tmp_path: Path, sidecar: str) -> None:
    path = tmp_path / "a.tif"
    if sidecar == ".tfw":
        raster(path, noise(1, 8, 9), profile="BASELINE", tfw="yes")
        file = path.with_suffix(".tfw")
    elif sidecar == ".aux.xml":
        raster(path, noise(1, 8, 9), crs=None)
        file = Path(f"{path}.aux.xml")
        file.write_text("<PAMDataset><SRS>EPSG:32633</SRS></PAMDataset>")
    else:
        raster(path, noise(1, 8, 9))
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
            dataset.write_mask(noise(8, 9) > 90)
        file = Path(f"{path}.msk")
    before = hash_scene(path)
    copy = tmp_path / "copy.tif"
    for part in tmp_path.glob("a.*"):
        shutil.copy(part, part.with_name(f"copy{part.name[1:]}"))
    assert hash_scene(copy) == before
    text = file.read_bytes()
    file.write_bytes(
        text.replace(b"600005", b"600015").replace(b"32633", b"32634") if sidecar != ".msk" else text + b"x"
    )
    assert hash_scene(path) != before


def test_statistics_and_overviews_beside_a_scene_change_nothing(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(1, 64, 64))
    before = hash_scene(path)
    Path(f"{path}.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><Histograms><HistItem/></Histograms><Metadata><MDI '
        'key="STATISTICS_MEAN">7</MDI></Metadata></PAMRasterBand></PAMDataset>'
    )
    assert hash_scene(path) == before
    raster(Path(f"{path}.ovr"), noise(1, 32, 32))
    with rasterio.open(path) as dataset:
        assert dataset.overviews(1) == [2]
    assert hash_scene(path) == before


# -- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2021-06-01T08:20:30Z", JUNE),
        ("2021-06-01T08:20:30.1234567Z", JUNE.replace(microsecond=123456)),
        ("2021-06-01T10:20:30+02:00", JUNE),
        ("2021-06-01 08:20:30", JUNE),
        ("2021-06-01 08:20:30 UTC", JUNE),
        ("20210601T082030Z", JUNE),
        ("2021-06-01T05:20:30-0300", JUNE),
        ("1622535630000", None),
        ("9999-99-99", None),
        ("2021:06:01 08:20:30", JUNE),
        ("20210601082030", JUNE),
        ("2021-06-01", datetime(2021, 6, 1, tzinfo=UTC)),
        ("0000:00:00 00:00:00", None),
        ("yesterday", None),
        ("2021", None),
        ("", None),
    ],
)
def test_times_are_read_in_every_form_that_files_use(text: str, time: datetime | None) -> None:
    assert parse_time(text) == time


@pytest.mark.parametrize(
    ("tags", "name", "time", "source"),
    [
        (
            {"ACQUISITION_DATE": "2021-06-01", "TIFFTAG_DATETIME": "2021:11:11 07:17:56"},
            "a",
            datetime(2021, 6, 1, tzinfo=UTC),
            "tag",
        ),
        (
            {"DATE_ACQUIRED": "2021-06-01", "SCENE_CENTER_TIME": "08:20:30.5Z"},
            "a",
            datetime(2021, 6, 1, 8, 20, 30, 500000, tzinfo=UTC),
            "tag",
        ),
        (
            {"TIFFTAG_DATETIME": "2021:11:11 07:17:56"},
            "m_3907864_sw_17_060_20210912",
            datetime(2021, 9, 12, tzinfo=UTC),
            "NAIP",
        ),
        (
            {"TIFFTAG_DATETIME": "2021:11:11 07:17:56"},
            "a",
            datetime(2021, 11, 11, 7, 17, 56, tzinfo=UTC),
            "TIFFTAG_DATETIME",
        ),
        (
            {},
            "S2A_MSIL2A_20210601T082030_N0300_R021_T35TPF_20210601T103842",
            datetime(2021, 6, 1, 8, 20, 30, tzinfo=UTC),
            "Sentinel-2",
        ),
        ({}, "T35TPF_20210601T082030_TCI_10m", datetime(2021, 6, 1, 8, 20, 30, tzinfo=UTC), "Sentinel-2"),
        ({}, "LC08_L2SP_016035_20210601_20210608_02_T1_SR", datetime(2021, 6, 1, tzinfo=UTC), "Landsat"),
        ({}, "LC80160352021152LGN00", datetime(2021, 6, 1, tzinfo=UTC), "Landsat"),
        ({}, "20210601_082030_1034_3B_AnalyticMS_SR", datetime(2021, 6, 1, 8, 20, 30, tzinfo=UTC), "PlanetScope"),
        (
            {},
            "S1A_IW_GRDH_1SDV_20210601T082030_20210601T082055_038145_04807E_5D1A",
            datetime(2021, 6, 1, 8, 20, 30, tzinfo=UTC),
            "Sentinel-1",
        ),
        ({"IMAGING_DATE": "2021-06-01", "IMAGING_TIME": "08:20:30.0Z"}, "pleiades", JUNE, "IMAGINGDATE"),
        ({"NC_GLOBAL#time_coverage_start": "2021-06-01T08:20:30Z"}, "a", JUNE, "TIMECOVERAGESTART"),
        (
            {"EXIF_DateTimeOriginal": "2021:06:01 10:20:30", "EXIF_OffsetTimeOriginal": "+02:00"},
            "a",
            JUNE,
            "EXIFDATETIMEORIGINAL",
        ),
        (
            {"time#units": "hours since 2021-05-31 08:20:30", "NETCDF_DIM_time_VALUES": "24"},
            "a",
            JUNE,
            "its time axis",
        ),
        ({"time#units": "days since 2021-05-31", "NETCDF_DIM_time_VALUES": "{1,2}"}, "a", None, "--datetime"),
        ({"time#units": "days since 1850-01-01", "NETCDF_DIM_time_VALUES": "1e300"}, "a", None, "--datetime"),
        ({}, "mosaic_20210601", None, "--datetime"),
    ],
)
def test_the_best_source_of_the_time_wins_and_is_said(
    tmp_path: Path, tags: dict[str, str], name: str, time: datetime | None, source: str
) -> None:
    with Scene.open(raster(tmp_path / f"{name}.tif", noise(1, 8, 8), tags=tags)) as scene:
        assert scene.datetime == time
        assert source in scene.datetime_source
        assert any(scene.datetime_source in note for note in scene.notes)


def test_the_imagery_domain_and_a_stac_item_are_read_and_the_user_decides(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(1, 8, 8))
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "properties": {"datetime": "2021-06-01T08:20:30Z"},
        "assets": {},
    }
    (tmp_path / "a.json").write_text(json.dumps(item))
    with Scene.open(path) as scene:
        assert (scene.datetime, scene.datetime_source) == (JUNE, "the STAC item a.json")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2020-01-02 03:04:05")
    with Scene.open(path) as scene:
        assert scene.datetime == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    with Scene.open(path, options=SceneOptions(datetime=JUNE)) as scene:
        assert scene.datetime == JUNE
    with pytest.raises(InputError, match="ISO 8601"):
        parse_datetime("last summer")
