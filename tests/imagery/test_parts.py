"""Files of several images: pages of a TIFF and tables of a GeoPackage, by the names that GDAL gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from commands import lines
from rasterio.windows import Window
from synthetic import noise, raster

from geocmer.errors import InputError
from geocmer.imagery.address import SceneAddress
from geocmer.imagery.identity import hash_scene
from geocmer.imagery.scene import Scene
from geocmer.store import Store

WHOLE = Window(0, 0, 40, 30)


def several(folder: Path, name: str, driver: str) -> Path:
    """Write a file of two images, that of `noise` with the seeds 0 and 1."""
    for seed in range(2):
        page = raster(folder / "page.tif", noise(3, 30, 40, seed=seed))
        more = {"APPEND_SUBDATASET": "YES"} if seed else {}
        more |= {"RASTER_TABLE": f"t{seed}", "TILE_FORMAT": "PNG"} if driver == "GPKG" else {}
        rasterio.shutil.copy(page, folder / name, driver=driver, **more)
    return folder / name


def test_a_further_page_is_told_of_and_has_a_name(tmp_path: Path) -> None:
    path = several(tmp_path, "pages.tif", "GTiff")
    with Scene.open(path) as first:
        (said,) = [note for note in first.notes if "2 images" in note]
        hashes = [first.content_hash]
    name = said.rpartition(" ")[2]
    with Scene.open(name) as second:
        assert np.array_equal(second.read(WHOLE)[0], noise(3, 30, 40, seed=1))
        assert not any("images" in note for note in second.notes)
        hashes.append(second.content_hash)
    assert hashes == [hash_scene(path), hash_scene(name)]
    assert hashes[0] != hashes[1]


def test_parts_of_a_file_are_scenes_of_their_own(tmp_path: Path) -> None:
    path = several(tmp_path, "tables.gpkg", "GPKG")
    with pytest.raises(InputError, match="no bands of its own; give one of its parts") as caught:
        Scene.open(path)
    names = str(caught.value).partition("parts: ")[2].split(", ")
    assert len(names) == 2
    store = tmp_path / "store"
    for _ in range(2):
        lines("tile", *names, "--size", "16", "--no-embed", "--store", store)
    rows = list(Store.open(store).scenes())
    assert sorted(row.uri for row in rows) == sorted(names)
    assert len({row.content_hash for row in rows}) == 2
    lines("remove", names[0], "--store", store)
    assert [row.uri for row in Store.open(store).scenes()] == [names[1]]


@pytest.mark.parametrize(
    ("name", "file", "absolute"),
    [
        ('NETCDF:"a b.nc":red', "a b.nc", 'NETCDF:"{}/a b.nc":red'),
        ("netcdf:/d/a.nc:red", "/d/a.nc", "netcdf:/d/a.nc:red"),
        ('HDF5:"f.h5"://group/values', "f.h5", 'HDF5:"{}/f.h5"://group/values'),
        ("GTIFF_DIR:2:x.tif", "x.tif", "GTIFF_DIR:2:{}/x.tif"),
        ("SENTINEL2_L2A:/d/MTD.xml:10m:EPSG_32632", "/d/MTD.xml", "SENTINEL2_L2A:/d/MTD.xml:10m:EPSG_32632"),
        ("WMS:x.tif", "WMS:x.tif", "{}/WMS:x.tif"),  # a service is no part of a file
        ("netcdf:", "netcdf:", "{}/netcdf:"),
    ],
)
def test_names_of_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str, absolute: str) -> None:
    monkeypatch.chdir(tmp_path)
    address = SceneAddress.of(name)
    assert not address.remote
    assert address.path == Path(file)
    assert address.absolute == absolute.format(tmp_path.resolve())
    assert SceneAddress.of(address.absolute).absolute == address.absolute
    (tmp_path / "netcdf:x:y").touch()
    assert SceneAddress.of("netcdf:x:y").path == Path("netcdf:x:y")
