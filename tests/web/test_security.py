"""Who may ask: other names, other sites' pages and requests without the token get nothing."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from affine import Affine
from geocmer_cli.web.security import SCRIPT_HEADER
from served import Served
from synthetic import raster

from geocmer.imagery.image_reader import read_rgb


def status(address: str, path: str = "/api/store", method: str = "GET", **headers: str) -> int:
    """Ask with exactly these headers."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return connection.getresponse().status


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[", "10.0.0.1", "localhost.evil"]
)
def test_a_foreign_name_for_this_machine_gets_nothing(served: Served, host: str) -> None:
    for path in ("/", "/api/store", "/static/js/main.js"):
        assert status(served.address, path, Host=host) == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8765", "[::1]:80", "127.0.0.2"])
def test_this_machine_may_ask(served: Served, host: str) -> None:
    assert status(served.address, Host=host) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_the_page_of_another_site_gets_nothing(served: Served, headers: dict[str, str]) -> None:
    assert status(served.address, **headers) == 403
    assert status(served.address, "/static/js/main.js", **headers) == 403


def test_a_link_from_another_site_opens_the_page_and_no_more(served: Served) -> None:
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert status(served.address, "/", **followed) == 200
    assert status(served.address, "/api/search?q=lake", **followed) == 403


def test_our_own_page_may_ask(served: Served) -> None:
    assert status(served.address, Sec_Fetch_Site="same-origin", Origin=served.address) == 200


def test_what_is_not_reading_asks_for_the_header_of_our_scripts(served: Served) -> None:
    assert status(served.address, method="POST") == 403
    assert status(served.address, method="POST", X_Geocmer="1") == 405
    assert status(served.address, "/api/images", method="POST") == 403


@pytest.fixture(scope="module")
def guarded(web_store: Path) -> Iterator[Served]:
    with Served(web_store, token="right") as app:
        yield app


def test_with_a_token_nothing_is_told_without_it(guarded: Served) -> None:
    for path in ("/", "/api/store", "/static/js/main.js", "/map/leaflet.js", "/?token=wrong", "/?token="):
        assert status(guarded.address, path) == 401
    for headers in ({"Cookie": "geocmer=wrong"}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
        assert status(guarded.address, **headers) == 401
    assert status(guarded.address, "/api/store?token=right") == 401, "in the page's address only"


def test_the_token_goes_from_the_address_into_a_cookie(guarded: Served) -> None:
    connection = http.client.HTTPConnection(urlsplit(guarded.address).netloc)
    connection.request("GET", "/?q=a+lake&token=right")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["location"]) == (303, "/?q=a+lake")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert status(guarded.address, Cookie=cookie.split(";")[0]) == 200
    assert status(guarded.address, Authorization="Bearer right", Host="my-machine.local") == 200
    assert status(guarded.address, Authorization="Bearer right", Sec_Fetch_Site="cross-site") == 403


def test_no_file_outside_the_front_end_is_served(served: Served) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/map/map.html", "/map/..%2f..%2ferrors.py"):
        assert status(served.address, path) == 404


def test_pages_may_load_only_what_came_with_them(served: Served) -> None:
    connection = http.client.HTTPConnection(urlsplit(served.address).netloc)
    for path in ("/", "/api/store", "/none"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_picture_that_names_other_files_is_none(served: Served, tmp_path: Path) -> None:
    """GDAL takes a VRT for what it is whatever it is called, and reads what it names: any raster of the machine."""
    secret = raster(tmp_path / "secret.tif", np.full((3, 8, 8), 77, np.uint8), Affine(1, 0, 0, 0, -1, 0))
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename>{secret}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    vrt = f'<VRTDataset rasterXSize="8" rasterYSize="8">{bands}</VRTDataset>'
    (tmp_path / "vrt.png").write_text(vrt)
    assert read_rgb(tmp_path / "vrt.png").min() == 77, "one's own file may"
    connection = http.client.HTTPConnection(urlsplit(served.address).netloc, timeout=60)
    connection.request("POST", "/api/images?name=vrt.png", vrt, {SCRIPT_HEADER: "1"})
    answer = connection.getresponse()
    assert (answer.status, b"cannot be read as a picture" in answer.read()) == (400, True)
    connection.request("POST", "/api/images?name=a.tif", secret.read_bytes(), {SCRIPT_HEADER: "1"})
    assert connection.getresponse().status == 200
