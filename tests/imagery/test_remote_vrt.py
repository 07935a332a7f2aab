"""What a remote file may make GDAL open: files of its own server, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window
from servers import RangeServer
from synthetic import UTM, noise, raster

from geocmer.errors import InputError
from geocmer.imagery.address import SceneAddress
from geocmer.imagery.identity import hash_scene
from geocmer.imagery.remote_raster import vrt_sources
from geocmer.imagery.scene import Scene
from geocmer.imagery.scene_options import SceneOptions

pytestmark = pytest.mark.usefixtures("no_credentials")
VRT = (
    '<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>EPSG:32633</SRS><GeoTransform>600000,10,0,5000000,0,-10'
    "</GeoTransform>{bands}</VRTDataset>"
)
BAND = (
    '<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename relativeToVRT="{relative}">{source}'
    "</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
)


def vrt(source: str | Path, relative: bool = True, side: int = 96) -> str:
    bands = "".join(BAND.format(band=b, relative=int(relative), source=source) for b in (1, 2, 3))
    return VRT.format(side=side, bands=bands)


def test_a_remote_vrt_of_its_own_server_is_read(tmp_path: Path, server: RangeServer) -> None:
    array = noise(3, 96, 96)
    raster(tmp_path / "a.tif", array)
    (tmp_path / "inner.vrt").write_text(vrt("a.tif"))
    (tmp_path / "m.vrt").write_text(vrt("inner.vrt"))
    with Scene.open(f"{server.url}/m.vrt") as scene:
        assert np.array_equal(scene.read(Window(0, 0, 96, 96))[0], array)
        before = scene.content_hash
        assert scene.origins == {server.url}
    raster(tmp_path / "a.tif", noise(3, 96, 96, seed=1))
    assert hash_scene(f"{server.url}/m.vrt") != before


def test_a_remote_vrt_reads_nothing_of_this_computer_or_other_servers(tmp_path: Path, server: RangeServer) -> None:
    served, private = tmp_path, raster(tmp_path / "private.tif", noise(3, 96, 96))
    raster(served / "a.tif", noise(3, 96, 96))
    (served / "hidden.tif").write_text(vrt(private, relative=False))  # a VRT by another name
    inline = '<SourceFilename relativeToVRT="0">' + vrt(private).replace("<", "&lt;") + "</SourceFilename>"
    plain = vrt("a.tif")
    bad = {
        "local": vrt(private, relative=False),
        "climbing": vrt(f"/{private}"),
        "elsewhere": vrt("/vsicurl/http://127.0.0.2:1/b.tif", relative=False),
        "address": vrt("http://127.0.0.2:1/b.tif", relative=False),
        "hidden": vrt("hidden.tif"),
        "attribute": plain.replace("<SimpleSource>", f'<SimpleSource SourceFilename="{private}">'),
        "case": plain.replace("</VRTRasterBand>", f"<sImPLeSource><sourcefilename>{private}</sourcefilename>"
                              "</sImPLeSource></VRTRasterBand>"),
        "inline": plain.replace('<SourceFilename relativeToVRT="1">a.tif</SourceFilename>', inline),
        "connection": vrt("WMS:http://127.0.0.1/x", relative=False),
        "archive": vrt("/vsizip//tmp/x.zip/a.tif", relative=False),
        "warped": plain.replace("<VRTDataset ", '<VRTDataset subClass="VRTWarpedDataset" '),
        "raw": plain.replace("<VRTRasterBand ", '<VRTRasterBand subClass="VRTRawRasterBand" '),
        "wms": "<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1/</ServerUrl></Service></GDAL_WMS>",
        "index": f"<GDALTileIndexDataset><IndexDataset>{private}</IndexDataset></GDALTileIndexDataset>",
        "entities": '<!DOCTYPE v [<!ENTITY a "' + str(private) + '">]>' + plain,
        "deep": "<a>" * 100_000,
        "bomb": '<!DOCTYPE v [<!ENTITY a "' + "x" * 1000 + '">'
        + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)) + "]><v>&j;</v>",
    }  # fmt: skip
    for name, text in bad.items():
        (served / "m.vrt").write_text(text)
        server.requests.clear()
        with pytest.raises(InputError) as caught:
            Scene.open(f"{server.url}/m.vrt")
        assert "\n" not in str(caught.value), name
        assert "scene" in str(caught.value), name
    (served / "m.vrt").write_text(bad["local"])
    with Scene.open(f"{server.url}/m.vrt", options=SceneOptions(trust_sources=True)) as scene:
        assert scene.read(Window(0, 0, 96, 96))[0].shape == (3, 96, 96)


def test_vrt_sources_are_those_that_gdal_lists(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif", noise(3, 96, 96))
    (tmp_path / "m.vrt").write_text(vrt("a.tif"))
    with rasterio.open(tmp_path / "m.vrt") as direct:
        assert {str(tmp_path / "m.vrt"), *map(str, vrt_sources(SceneAddress.of(tmp_path / "m.vrt")))} == {*direct.files}


def test_a_local_vrt_of_remote_sources_knows_their_state(tmp_path: Path, server: RangeServer) -> None:
    raster(tmp_path / "a.tif", noise(3, 96, 96))
    path = tmp_path / "m.vrt"
    path.write_text(vrt(f"/vsicurl/{server.url}/a.tif", relative=False))
    with Scene.open(path) as scene:
        before = scene.content_hash
        assert scene.origins == {server.url}
    assert hash_scene(path) == before
    raster(tmp_path / "a.tif", noise(3, 96, 96, seed=1))
    assert hash_scene(path) != before


def test_sizes_beyond_sense_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.vrt"
    path.write_text(VRT.format(side=2**31 - 1, bands='<VRTRasterBand dataType="Byte" band="1"/>'))
    with pytest.raises(InputError, match="more than any scene has"):
        Scene.open(path)
    strip = tmp_path / "strip.tif"
    side = 2**15
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint16", "crs": "EPSG:32633"}
    layout = {"tiled": True, "blockxsize": side, "blockysize": side, "sparse_ok": True, "compress": "deflate"}
    with rasterio.open(strip, "w", **profile, transform=UTM, **layout):
        pass
    with pytest.raises(InputError, match=r"blocks of 32,768 x 32,768 pixels, 2\.0 GiB"):
        Scene.open(strip)
