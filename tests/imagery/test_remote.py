"""Scenes on servers: read as rasterio reads the file on the disk, by byte ranges, and from nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window
from servers import RangeServer, range_server, s3_server
from synthetic import UTM, noise, raster

from geocmer.errors import InputError
from geocmer.imagery import remote_file
from geocmer.imagery.address import SceneAddress
from geocmer.imagery.identity import hash_scene
from geocmer.imagery.remote_file import list_folder, read_document, stat
from geocmer.imagery.remote_raster import vrt_sources
from geocmer.imagery.scene import Scene
from geocmer.imagery.scene_options import SceneOptions

SIDE = 1400
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


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_S3_ENDPOINT", "GDAL_HTTP_BEARER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COG of incompressible noise, several megabytes."""
    path = tmp_path_factory.mktemp("cog") / "big cog.tif"
    return raster(path, noise(3, SIDE, SIDE), tiled=True, blockxsize=256, blockysize=256)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    with range_server(tmp_path) as state:
        yield state


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with s3_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_S3_ENDPOINT", "")
        yield url


def put(url: str, key: str, content: bytes) -> None:
    from pyarrow import fs

    host = url.removeprefix("http://")
    store = fs.S3FileSystem(scheme="http", endpoint_override=host, allow_bucket_creation=True, region="us-east-1")
    store.create_dir("bucket")
    with store.open_output_stream(f"bucket/{key}") as file:
        file.write(content)


def test_a_window_of_a_cog_is_read_by_ranges_and_equal_to_rasterio(big: Path) -> None:
    window = Window(300, 500, 200, 150)
    with range_server(big.parent) as server, rasterio.open(big) as direct:
        with Scene.open(f"{server.url}/big%20cog.tif") as scene:
            data, valid = scene.read(window)
            assert np.array_equal(data, direct.read(window=window))
            assert valid.all()
            assert (scene.width, scene.height, scene.address.name) == (SIDE, SIDE, "big cog.tif")
            assert scene.georeference.footprint(scene.transform, SIDE, SIDE).is_valid
        assert server.sent < big.stat().st_size / 2
        assert not [r for r in server.requests if "big" not in r[1]], "no sidecar is asked for"


def test_the_same_scene_in_s3_and_on_the_web_has_the_same_pixels(big: Path, s3: str) -> None:
    put(s3, "a folder/big.tif", big.read_bytes())
    with Scene.open("s3://bucket/a folder/big.tif") as scene, Scene.open(big) as local:
        assert scene.stretch() == local.stretch()
        part = Window(1300, 0, 100, 100)
        assert np.array_equal(scene.read(part)[0], local.read(part)[0])
    assert [str(a) for a in list_folder(SceneAddress.of("s3://bucket/a folder/"))] == ["s3://bucket/a folder/big.tif"]
    with pytest.raises(InputError, match="does not exist"):
        Scene.open("s3://bucket/none.tif")
    assert hash_scene("s3://bucket/a folder/big.tif") == hash_scene("s3://bucket/a folder/big.tif")


def test_identity_is_what_the_server_says(tmp_path: Path, server: RangeServer) -> None:
    raster(tmp_path / "a.tif", noise(3, 64, 64))
    first = hash_scene(f"{server.url}/a.tif")
    assert first == hash_scene(f"{server.url}/a.tif")
    assert server.sent <= 2 * 1024
    raster(tmp_path / "a.tif", noise(3, 64, 64, seed=1))
    assert hash_scene(f"{server.url}/a.tif") != first
    with Scene.open(f"{server.url}/a.tif") as scene:
        raster(tmp_path / "a.tif", noise(3, 64, 64, seed=2))
        assert scene.content_hash
        with pytest.raises(InputError, match="changed while it was read"):
            scene.require_unchanged()


def test_a_replaced_file_is_read_anew_in_the_same_process(tmp_path: Path, server: RangeServer) -> None:
    for seed in (0, 1):
        array = noise(3, 64, 64, seed=seed)
        raster(tmp_path / "a.tif", array)
        with Scene.open(f"{server.url}/a.tif") as scene:
            assert np.array_equal(scene.read(Window(0, 0, 64, 64))[0], array)


@pytest.mark.parametrize(
    ("statuses", "said"),
    [([403], "may not be read"), ([404], "does not exist"), ([401], "GDAL_HTTP_BEARER"), ([418], "answers 418")],
)
def test_what_a_server_refuses_is_one_line(tmp_path: Path, server: RangeServer, statuses: list[int], said: str) -> None:
    raster(tmp_path / "a.tif", noise(3, 64, 64))
    server.broken["a.tif"] = statuses
    with pytest.raises(InputError, match=said) as caught:
        Scene.open(f"{server.url}/a.tif")
    assert "\n" not in str(caught.value)


def test_a_server_that_stumbles_is_asked_again(
    tmp_path: Path, server: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    array = noise(3, 64, 64)
    raster(tmp_path / "a.tif", array)
    server.broken["a.tif"] = [503, 429, 0]
    with Scene.open(f"{server.url}/a.tif") as scene:
        server.broken["a.tif"] = [502, 0]
        assert np.array_equal(scene.read(Window(0, 0, 64, 64))[0], array)


def test_no_network_and_no_server_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("http://127.0.0.1:9/a.tif", "http://no-such-host.invalid/a.tif"):
        with pytest.raises(InputError, match="check the network") as caught:
            Scene.open(address)
        assert "\n" not in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl
    import urllib.error

    def refuse(*_: object) -> None:
        error = ssl.SSLCertVerificationError("certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise urllib.error.URLError(error)

    monkeypatch.setattr(remote_file, "_request", refuse)
    with pytest.raises(InputError, match=r"CURL_CA_BUNDLE=FILE \(self-signed"):
        Scene.open("https://example.org/a.tif")


def test_credentials_reach_gdal_and_our_own_requests(
    tmp_path: Path, server: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = noise(3, 64, 64)
    raster(tmp_path / "a.tif", array)
    server.allowed["Authorization"] = "Bearer sesame"
    with pytest.raises(InputError, match="set credentials"):
        Scene.open(f"{server.url}/a.tif")
    monkeypatch.setenv("GDAL_HTTP_BEARER", "sesame")
    with Scene.open(f"{server.url}/a.tif") as scene:
        assert np.array_equal(scene.read(Window(0, 0, 64, 64))[0], array)


def test_credentials_stay_with_the_server_that_they_are_for(
    tmp_path: Path, server: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list.json").write_text("{}")
    monkeypatch.setenv("GDAL_HTTP_BEARER", "secret")
    monkeypatch.setenv("GDAL_HTTP_HEADERS", "X-Key: secret")
    address = SceneAddress.of(f"{server.url}/moved.json")
    with range_server(tmp_path) as other:
        for target, told in ((f"{server.url}/list.json", True), (f"{other.url}/list.json", False)):
            server.moved["moved.json"] = target
            assert read_document(address) == b"{}"
            assert "secret" in str(server.heard[-1])
            assert told or "secret" not in str(other.heard[-1])


def test_a_signature_is_used_and_neither_kept_nor_shown(tmp_path: Path, server: RangeServer) -> None:
    raster(tmp_path / "a.tif", noise(3, 64, 64))
    with Scene.open(f"{server.url}/a.tif?X-Amz-Signature=SECRET") as scene:
        assert scene.address.absolute == f"{server.url}/a.tif"
        scene.read(Window(0, 0, 8, 8))
    assert all("SECRET" in path for _, path, _ in server.requests)
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(InputError) as caught:
        Scene.open(f"{server.url}/text.tif?sig=SECRET")
    assert "SECRET" not in str(caught.value)


# -- what a remote file may make GDAL open ---------------------------------------------------------------------------


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


def test_documents_have_a_limit(tmp_path: Path, server: RangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list.txt").write_text("x" * 2000)
    monkeypatch.setattr(remote_file, "MAX_DOCUMENT_BYTES", 1000)
    for address in (f"{server.url}/list.txt", str(tmp_path / "list.txt")):
        with pytest.raises(InputError, match="no list of scenes has"):
            read_document(SceneAddress.of(address))


def test_addresses() -> None:
    cases = {
        "https://h:8/x/a%20b.tif?x=1": ("/vsicurl/https://h:8/x/a%20b.tif?x=1", "a b.tif", "https://h:8"),
        "s3://b/k/a?b.tif": ("/vsis3/b/k/a?b.tif", "a?b.tif", "s3://b"),
        "gs://b/k.tif": ("/vsigs/b/k.tif", "k.tif", "gs://b"),
        "az://c/k.tif": ("/vsiaz/c/k.tif", "k.tif", "az://c"),
        "/vsis3/b/k.tif": ("/vsis3/b/k.tif", "k.tif", "s3://b"),
        "file:///d/a%20b.tif": ("/d/a b.tif", "a b.tif", ""),
    }
    for text, expected in cases.items():
        address = SceneAddress.of(text)
        assert (address.gdal_name, address.name, address.origin) == expected
    base = SceneAddress.of("s3://b/d/m.vrt")
    assert [str(SceneAddress.of(n, base)) for n in ("a.tif", "../a.tif", "/a.tif")] == [
        "s3://b/d/a.tif", "s3://b/a.tif", "/a.tif",
    ]  # fmt: skip
    for text in ("ftp://h/a.tif", "https://name:password@h/a.tif"):
        with pytest.raises(InputError):
            SceneAddress.of(text)


def test_a_stat_without_ranges_or_versions(tmp_path: Path, server: RangeServer) -> None:
    (tmp_path / "a.bin").write_bytes(b"x" * 5000)
    found = stat(SceneAddress.of(f"{server.url}/a.bin"))
    assert (found.size, len(found.head)) == (5000, 1024)
    assert json.dumps(found.version)
