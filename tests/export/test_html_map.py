"""The map page: what is in the file, and what a browser makes of it without a network."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from hits import HITS, hit
from PIL import Image
from pyproj import Transformer
from synthetic import filled, footprint, tile, unit

from geocmer.errors import InputError
from geocmer.export import write
from geocmer.export.html_map import MAX_PAGE_HITS
from geocmer.geometry.footprint import footprint as ground
from geocmer.search.results import Partner

EVIL = '</script><img src=x onerror="document.title=1"><script>document.title=2</script>{{hits}}'


class Elements(HTMLParser):
    """Names of the elements, and the text of scripts by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.scripts: dict[str | None, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self._inside = dict(attrs).get("id") if tag == "script" else None

    def handle_data(self, data: str) -> None:
        if self.names and self.names[-1] == "script" and self._inside:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


def content(path: Path) -> dict[str, Any]:
    """The hits as the page will read them."""
    hits: dict[str, Any] = json.loads(Elements(path.read_text(encoding="utf-8")).scripts["hits"])
    return hits


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (96, 96), (200, 30, 30)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_the_page_holds_the_same_hits(tmp_path: Path) -> None:
    assert write(HITS, tmp_path / "hits.html") == len(HITS)
    page = content(tmp_path / "hits.html")
    assert [one["id"] for one in page["hits"]] == [true.id for true in HITS]
    assert [one["score"] for one in page["hits"]] == [true.score for true in HITS]
    assert (page["low"], page["high"]) == (0.43, 0.49)
    for one, true in zip(page["hits"], HITS, strict=True):
        outline = shapely.union_all([shapely.Polygon(ring) for ring in one["rings"]])
        expected = true.geometry
        if true.rank == 7:  # cut at the antimeridian: whole again on the page
            assert len(one["rings"]) == 1
            expected = shapely.box(179.95, -17, 180.05, -16.9)
        elif page["bounds"][2] > 180 and outline.bounds[0] > 180:
            outline = shapely.transform(outline, lambda xy: xy - [360, 0])
        assert shapely.hausdorff_distance(outline, expected) <= np.sqrt(expected.area) / 400
    assert [len(one["partners"]) for one in page["hits"]] == [1, 2, 0, 0, 0, 0, 0, 0]
    assert page["hits"][0]["partners"][0]["line"] == [[[1.05, 50.05], [1.25, 50.05]]]


def test_no_text_of_a_user_becomes_markup(tmp_path: Path) -> None:
    plain, evil = tmp_path / "plain.html", tmp_path / "evil.html"
    write([hit(1, category="forest", uri="a.tif")], plain, title="lake")
    write([hit(1, category=EVIL, uri=EVIL, fractions={EVIL: 0.5})], evil, title=EVIL)
    assert Elements(evil.read_text()).names == Elements(plain.read_text()).names
    assert content(evil)["hits"][0]["category"] == EVIL


def test_pictures_lie_as_their_pixels_do(tmp_path: Path) -> None:
    transform, crs = Affine(10, 2, 500_000, 1, -10, 5_000_000), "EPSG:32633"
    north_up = hit(1, geometry=ground(transform, 64, 64, crs), thumbnail=picture())
    upside_down = hit(2, geometry=ground(Affine(-10, 0, 500_000, 0, 10, 5_000_000), 64, 64, crs), thumbnail=picture())
    mirrored = hit(3, geometry=ground(Affine(10, 0, 500_000, 0, 10, 5_000_000), 64, 64, crs), thumbnail=picture())
    write([north_up, upside_down, mirrored, hit(4, geometry=north_up.geometry)], tmp_path / "hits.html")
    first, *others = content(tmp_path / "hits.html")["hits"]
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    expected = [to_degrees.transform(*(transform @ pixel)) for pixel in [(0, 0), (64, 0), (0, 64)]]
    assert first["corners"] == [pytest.approx(corner, abs=2e-6) for corner in expected]
    assert [other["corners"] for other in others] == [None] * 3, "rather no picture than a wrong one"


def test_a_page_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"at most {MAX_PAGE_HITS} hits; ask for fewer"):
        write((replace(HITS[2], rank=rank) for rank in range(MAX_PAGE_HITS + 1)), tmp_path / "hits.html")
    assert list(tmp_path.iterdir()) == []


def test_a_page_takes_no_style_of_qgis(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a QGIS style does not go with"):
        write(HITS, tmp_path / "hits.html", style=True)


# -- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(chromium: Any) -> Iterator[Any]:
    """A window without a network."""
    context = chromium.new_context(offline=True, viewport={"width": 1000, "height": 700}, reduced_motion="reduce")
    yield context
    context.close()


class Visit:
    """A page that is open, and what it complained of and asked for."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]", timeout=60_000)

    def colours(self) -> np.ndarray:
        """The picture on the screen, (height, width, 3)."""
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")).astype(int)

    def silent(self) -> bool:
        """Nothing was said on the console, and nothing but the file was asked for."""
        return not self.complaints and all(url.startswith(("file:", "data:")) for url in self.requests)


def _has(screen: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(screen - colour).max(axis=-1) <= 6).sum() > 20)


def test_a_browser_shows_the_hits_without_a_network(tmp_path: Path, browser: Any) -> None:
    hits = [
        hit(n, geometry=footprint(west, -17, 0.4, 0.4), score=0.5 - n / 10, category=EVIL, thumbnail=picture())
        for n, west in enumerate([179.8, -179.4, 179.2], 1)
    ]
    write(hits, tmp_path / "hits.html", title=EVIL)
    visit = Visit(browser, tmp_path / "hits.html")
    assert visit.page.title() == EVIL
    assert visit.page.locator("#list li").count() == 3
    assert visit.page.locator("#count").inner_text() == "3 hits"
    screen = visit.colours()[:, 380:]
    assert _has(screen, (253, 231, 37)), "the best is yellow"
    assert _has(screen, (68, 1, 84)), "the least is violet"
    visit.page.keyboard.press("Tab")  # the slider of the least score
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    popup = visit.page.locator(".leaflet-popup-content")
    popup.wait_for()
    assert popup.locator("h2").inner_text() == EVIL
    assert "16.8000° S, 180.0000° W" in popup.inner_text()
    assert popup.locator("img").evaluate("image => image.complete && image.naturalWidth") == 96
    assert visit.page.locator("#list button[aria-current]").count() == 1
    assert visit.silent(), (visit.complaints, visit.requests)


def test_a_browser_shows_nothing_one_thousands_and_a_pole(tmp_path: Path, browser: Any) -> None:
    polar = [ground(Affine(100, 0, x, 0, -100, 11_200), 224, 224, "EPSG:3031") for x in (-11_200, 60_000)]
    many = [
        replace(
            HITS[2], id=f"{n:032x}", rank=n, score=1 - n / 5000, geometry=footprint(n % 70 / 50, n / 3500, 0.01, 0.01)
        )
        for n in range(1, 5001)
    ]
    for name, hits in {
        "none": [],
        "one": HITS[-1:],
        "pole": [hit(n, geometry=g) for n, g in enumerate(polar)],
        "many": many,
    }.items():
        write(hits, tmp_path / f"{name}.html")
        visit = Visit(browser, tmp_path / f"{name}.html")
        assert visit.page.locator("#list li").count() == len(hits)
        visit.page.screenshot()
        assert visit.silent(), (name, visit.complaints, visit.requests)
        visit.page.close()


def test_the_first_view_fits_small_hits(tmp_path: Path, browser: Any) -> None:
    """Four tiles of 75 m fill the map, with room about them."""
    corners = [(500_000 + x, 5_000_000 + y) for x in (0, 75) for y in (0, 75)]
    tiles = [ground(Affine(1, 0, x, 0, -1, y), 75, 75, "EPSG:32633") for x, y in corners]
    write([hit(n, geometry=one, score=n / 9) for n, one in enumerate(tiles, 1)], tmp_path / "hits.html")
    visit = Visit(browser, tmp_path / "hits.html")
    screen = visit.colours()[:, 362:]
    drawn = np.abs(screen - screen[5, -5]).max(axis=-1) > 40
    rows, columns = np.flatnonzero(drawn[20:-20].any(axis=1)), np.flatnonzero(drawn[20:-20, :].any(axis=0))
    assert np.ptp(rows) > 0.5 * len(screen)
    assert np.ptp(columns) > 0.5 * len(screen), "of the height: the tiles are as wide as high"
    assert visit.silent()


def test_a_pair_shows_both_pictures_and_the_line_has_a_legend(tmp_path: Path, browser: Any) -> None:
    store = filled(tmp_path / "store", [tile(1, west=1), tile(2, west=1.3, thumbnail=picture())], unit(2))
    found = hit(1, geometry=footprint(1, 50, 0.1, 0.1), thumbnail=picture())
    line = shapely.LineString([(1.05, 50.05), (1.35, 50.05)])
    beside = [Partner("near river", f"{n:032x}", 0.5, 100.0, 90.0, footprint(1.3, 50, 0.1, 0.1), line) for n in (2, 3)]
    hits = [replace(found, partners=tuple(beside[:1])), replace(found, id="f" * 32, rank=2, partners=tuple(beside[1:]))]
    write(hits, tmp_path / "hits.html", source=store.snapshot())
    page = content(tmp_path / "hits.html")
    assert {name: one["picture"] is not None for name, one in page["partners"].items()} == {
        beside[0].id: True,
        beside[1].id: False,
    }
    visit = Visit(browser, tmp_path / "hits.html")
    assert [item.locator("img").count() for item in visit.page.locator("#list li").all()] == [2, 1]
    assert "from a hit to its partner" in visit.page.locator("#legend").inner_text()
    visit.page.locator("#list button").first.click()
    shown = visit.page.locator(".leaflet-popup-content figure")
    assert shown.all_inner_texts() == ["the hit", "near river"]
    assert visit.silent()


def test_a_slider_hides_hits_below_a_score(tmp_path: Path, browser: Any) -> None:
    write([hit(n, score=n / 10, category=f"c{n}") for n in range(1, 6)], tmp_path / "hits.html")
    visit = Visit(browser, tmp_path / "hits.html")
    assert visit.page.locator("#list li:visible").count() == 5
    slider = visit.page.get_by_label("Least score")
    slider.fill("0.35")
    assert visit.page.locator("#list li:visible .name").all_inner_texts() == ["4. c4", "5. c5"]
    assert visit.page.locator("#count").inner_text() == "2 of 5 hits"
    screen = visit.colours()[:, 380:]
    assert _has(screen, (253, 231, 37)), "the best is still there"
    assert not _has(screen, (68, 1, 84)), "the least is not"
    slider.fill("0.1")
    assert visit.page.locator("#list li:visible").count() == 5
    assert visit.silent()


def test_pixels_without_data_are_chequered(tmp_path: Path, browser: Any) -> None:
    from geocmer.ingest.writer import encode_thumbnail

    valid = np.ones((96, 96), bool)
    valid[:, 48:] = False
    clear = encode_thumbnail(np.full((96, 96, 3), 90, np.uint8), valid)
    write([hit(1, thumbnail=clear)], tmp_path / "hits.html")
    visit = Visit(browser, tmp_path / "hits.html")
    shot = visit.page.locator("#list img").screenshot()
    half = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)[10:-10, 34:-8]
    assert {tuple(colour) for colour in half.reshape(-1, 3).tolist()} >= {(195, 202, 209), (255, 255, 255)}
    assert visit.silent()


def test_a_basemap_is_asked_for_by_a_click_only(tmp_path: Path, browser: Any) -> None:
    write(HITS[2:4], tmp_path / "hits.html")
    visit = Visit(browser, tmp_path / "hits.html")
    assert visit.silent()
    errors: list[str] = []
    visit.page.on("pageerror", lambda error: errors.append(str(error)))
    visit.page.get_by_role("button", name="Basemap").click()
    visit.page.wait_for_timeout(300)
    assert any(url.startswith("https://tiles.maps.eox.at/") for url in visit.requests)
    assert "Sentinel-2 cloudless" in visit.page.locator(".leaflet-control-attribution").inner_text()
    assert errors == [], "offline, the page goes on without it"
