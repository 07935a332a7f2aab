"""The app in a browser: answers that leave it as files, and images and times that are given to it."""

from __future__ import annotations

import http.client
import json
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import geopandas
import pytest
from served import Served, Visit

import geocmer

Visits = Callable[..., Visit]


def test_an_answer_is_saved_in_any_format(visit: Visits, served: Served, tmp_path: Path) -> None:
    page = visit("/?q=lake&k=50")
    page.page.click("#save")
    offered = page.page.locator("#save-format option").evaluate_all("options => options.map((one) => one.value)")
    assert {".geojson", ".gpkg", ".parquet", ".csv", ".html"} <= set(offered)
    page.page.select_option("#save-format", ".gpkg")
    with page.page.expect_download() as download:
        page.page.locator("#save-dialog a.button").click()
    assert download.value.suggested_filename == "lake.gpkg"
    download.value.save_as(tmp_path / "lake.gpkg")
    assert geopandas.read_file(tmp_path / "lake.gpkg")["id"].tolist() == page.ids()
    page.page.click("#save")
    page.page.select_option("#save-format", ".geojson")
    page.page.check("#save-style")
    with page.page.expect_download() as download:
        page.page.locator("#save-dialog a.button").click()
    download.value.save_as(tmp_path / "lake.zip")
    assert sorted(zipfile.ZipFile(tmp_path / "lake.zip").namelist()) == ["lake.geojson", "lake.qml"]


def test_the_command_line_gives_the_same_answer(visit: Visits, capsys: pytest.CaptureFixture[str]) -> None:
    from geocmer_cli.main import app

    page = visit(
        "/?q=lake&k=50&where=water+>+0.1&since=2010-01-01&keep=all&minus=town&min_score=0.01&bbox=16.2,45,16.4,45.2"
    )
    page.page.click("#command-toggle")
    words = shlex.split(page.page.locator("#command pre").inner_text())
    assert words[0] == "geocmer"
    capsys.readouterr()
    app([*words[1:], "--json"], standalone_mode=False)
    found = [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]
    assert found == page.ids()
    assert found


def test_the_keyboard_walks_through_the_hits(visit: Visits) -> None:
    page = visit("/?q=lake&k=50&keep=all")
    page.page.locator("#grid .card").first.focus()
    for key, at in (("ArrowRight", 2), ("ArrowDown", 5), ("ArrowLeft", 4), ("ArrowUp", 1), ("End", 50), ("Home", 1)):
        page.page.keyboard.press(key)
        label = page.page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert label.startswith(f"{at}. "), (key, label)
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("#detail:not([hidden])")
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#detail").is_visible()
    page.page.keyboard.press("/")
    assert page.page.evaluate("document.activeElement.id") == "q"


def test_a_phone_has_the_map_above_and_no_sideways_scroll(visit: Visits) -> None:
    page = visit("/?q=lake", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    view, grid = (page.page.locator(part).bounding_box() for part in ("#view", "#grid"))
    assert view["y"] < grid["y"]
    assert view["width"] == 390
    page.page.locator("#grid .card").first.tap()
    assert page.page.locator("#detail").bounding_box()["width"] == 390


def test_a_picture_of_ones_own_asks_too(visit: Visits, served: Served, tmp_path: Path) -> None:
    store = geocmer.open(served.store)
    store.search("lake", k=1)[0].image().save(tmp_path / "my lake.png")
    page = visit()
    page.page.set_input_files("#picture", tmp_path / "my lake.png")
    page.page.wait_for_selector("#refinements .chip")
    page.settle()
    assert page.ids() == [hit.id for hit in store.search(like=tmp_path / "my lake.png", k=100)]
    assert page.page.locator(".chip img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    page.page.click("#command-toggle")
    assert "'--like=my lake.png'" in page.page.locator("#command pre").inner_text()
    (tmp_path / "no.png").write_text("<svg onload=alert(1)>")
    page.page.set_input_files("#picture", tmp_path / "no.png")
    page.page.wait_for_selector("#status.failed")
    assert "no.png cannot be read as a picture" in page.page.locator("#status").inner_text()
    page.complaints[:] = [line for line in page.complaints if "400" not in line]  # the browser notes a refused request


@pytest.mark.parametrize("behind", ["", "#layer=(area)"])
@pytest.mark.parametrize("asked", ["like=", "more=", "less=", "like=picture-", "like=picture-../", "q=lake&region="])
def test_a_browser_names_no_file(served: Served, tmp_path: Path, asked: str, behind: str) -> None:
    """What a page may ask with opens no file of the machine, whatever is in it."""
    area = '{"type": "Polygon", "coordinates": [[[16, 45], [17, 45], [17, 46], [16, 45]]]}'
    (tmp_path / "area.geojson").write_text(area)
    connection = http.client.HTTPConnection(urlsplit(served.address).netloc)
    connection.request("GET", f"/api/search?{asked}{quote(str(tmp_path / 'area.geojson') + behind)}")
    answer = connection.getresponse()
    assert answer.status == 400
    told = answer.read()
    assert any(said in told for said in (b"is not a tile's id", b"is no longer kept", b"is not WKT"))


def test_what_is_new_or_gone_between_two_times(
    visit: Visits, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    from geocmer_cli.main import app

    page = visit("/?q=lake&k=50")
    page.page.click("#filters-toggle")
    page.page.select_option("#change-kind", "gone")
    page.page.fill("#change-before", "2001")
    page.page.fill("#change-after", "2020")
    page.page.press("#change-after", "Tab")
    page.settle()
    hits = geocmer.open(served.store).change("lake", before="2001", after="2020", gone=True, k=50)
    assert len(hits)
    assert page.ids() == [hit.id for hit in hits]
    assert page.page.locator("#grid .card").first.locator("img").count() == 2, "the place at both times"
    page.page.click("#command-toggle")
    words = shlex.split(page.page.locator("#command pre").inner_text())
    capsys.readouterr()
    app([*words[1:], "--json"], standalone_mode=False)
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == page.ids()
    page.page.select_option("#change-kind", "new")
    page.settle()
    hit = geocmer.open(served.store).change("lake", before="2001", after="2020", k=50)[0]
    times = [hit.partners[0].id, hit.id]  # the earlier one on the left
    sources = "images => images.map((image) => image.getAttribute('src'))"
    card = page.page.locator("#grid .card").first
    assert card.locator("img").evaluate_all(sources) == [f"/api/tiles/{one}/thumbnail" for one in times]
    card.click()
    page.page.get_by_role("button", name="Where in the tile").click()
    page.page.wait_for_selector("#detail .under button:not([aria-busy])")
    heat = page.page.locator("#detail").get_by_alt_text("Heat map: where in the tile the question is answered")
    asked = [address.split("/")[3] for address in heat.evaluate_all(sources)]
    assert asked == [hit.id, *times], "the tile itself, and the place at both times"
    page.page.get_by_label("Close the tile").click()
    assert page.ids() == [
        hit.id for hit in geocmer.open(served.store).change("lake", before="2001", after="2020", k=50)
    ]
    page.page.get_by_text("Clear filters").click()
    page.settle()
    assert page.ids() == [hit.id for hit in geocmer.open(served.store).search("lake", k=50)]
