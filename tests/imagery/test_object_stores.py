"""Scenes in Google's and Azure's storage, on a server on loopback that answers as theirs do."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest
from commands import lines
from rasterio.windows import Window
from servers import object_server
from synthetic import noise, raster

from geocmer.errors import InputError
from geocmer.imagery.identity import hash_scene
from geocmer.imagery.scene import Scene

pytestmark = pytest.mark.usefixtures("no_credentials")


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_a_cog_is_read_by_ranges_and_a_replaced_one_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    file = tmp_path / "bucket" / "a b.tif"
    file.parent.mkdir()
    raster(file, noise(3, 1024, 1024), tiled=True, blockxsize=256, blockysize=256)
    name, part = f"{scheme}://bucket/a b.tif", Window(800, 100, 64, 64)
    with object_server(tmp_path) as host:
        monkeypatch.setenv("GS_NO_SIGN_REQUEST", "YES")
        monkeypatch.setenv("CPL_GS_ENDPOINT", f"http://{host}/")
        parts = {"DefaultEndpointsProtocol": "http", "AccountName": "dev", "BlobEndpoint": f"http://{host}/dev"}
        parts["AccountKey"] = b64encode(bytes(32)).decode()
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", ";".join(f"{k}={v}" for k, v in parts.items()))
        with Scene.open(name) as scene, Scene.open(file) as local:
            assert np.array_equal(scene.read(part)[0], local.read(part)[0])
            assert scene.width == 1024
        asked = (tmp_path / "requests.txt").read_text().splitlines()
        ends = [
            line.rpartition("bytes=")[2].split("-") for line in asked if "bytes=" in line and "alt=media" not in line
        ]
        assert ends
        assert sum(int(last) - int(first) + 1 for first, last in ends) < file.stat().st_size / 2
        assert not [line for line in asked if ".aux.xml" in line or ".msk" in line], "no sidecar is asked for"
        lines("tile", name, "--size", "512", "--no-embed", "--store", tmp_path / "store")
        before = hash_scene(name)
        assert hash_scene(name) == before
        content = bytearray(file.read_bytes())
        content[-1] ^= 255  # of equal size, and with an equal head
        file.write_bytes(content)
        assert hash_scene(name) != before
        with pytest.raises(InputError, match="does not exist"):
            Scene.open(f"{scheme}://bucket/none.tif")
