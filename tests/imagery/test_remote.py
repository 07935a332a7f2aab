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
from synthetic import noise, raster

from geocmer.errors import InputError
from geocmer.imagery import remote_file
from geocmer.imagery.address import SceneAddress
from geocmer.imagery.identity import hash_scene
from geocmer.imagery.remote_file import list_folder, read_document, stat
from geocmer.imagery.scene import Scene

pytestmark = pytest.mark.usefixtures("no_credentials")
SIDE = 1400


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COG of incompressible noise, several megabytes."""
    path = tmp_path_factory.mktemp("cog") / "big cog.tif"
    return raster(path, noise(3, SIDE, SIDE), tiled=True, blockxsize=256, blockysize=256)


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
