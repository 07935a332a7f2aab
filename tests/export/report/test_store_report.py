"""The page about a store: its figures are those of the store, and no name on it runs or is lost."""

from __future__ import annotations

import base64
import io
import re
import zlib
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor
from synthetic import DIM, ENCODER, filled, scene, tile, unit

import geocmer
from geocmer.errors import InputError
from geocmer.export.report.charts import COLOURS, colours_of, draw_map, key, principal_plane
from geocmer.imagery.tiling import TilingReport

N = 60
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
CATEGORIES = ("forest", "forest", "water", EVIL, None)


class Encoder:
    """Gives every text a vector of its own."""

    fingerprint, dim, scale = ENCODER.fingerprint, DIM, 100.0

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.concatenate([unit(1, seed=zlib.crc32(text.encode())) for text in texts])


class Parsed(HTMLParser):
    """The elements of a page with their attributes, its text, and the rows of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.inside:
            self.rows[-1][-1] += data


def store_of(folder: Path, **fields: Any) -> geocmer.Collection:
    rows = [tile(n, west=n % 10 / 10, south=n // 10 / 10, category=CATEGORIES[n % 5], **fields) for n in range(N)]
    report = TilingReport(70, N, {"too few valid pixels": 10}, 0.875)
    store = filled(folder / "store", rows, unit(N))
    store.add_scene(scene(1, uri=f"/data/{EVIL.replace('/', '')}.tif", report=report))
    encoder: Any = Encoder()
    return geocmer.open(store.path, encoder=encoder)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[geocmer.Collection, Parsed]:
    folder = tmp_path_factory.mktemp("report")
    tiles = store_of(folder)
    tiles.report(folder / "report.html")
    return tiles, Parsed((folder / "report.html").read_text(encoding="utf-8"))


def test_counts_scenes_and_quality_are_those_of_the_store(page: tuple[geocmer.Collection, Parsed]) -> None:
    tiles, parsed = page
    counts = [tuple(row[:3]) for row in parsed.rows if len(row) == 4]
    expected_counts = [("forest", "24", "40.0%"), (EVIL, "12", "20.0%"), ("water", "12", "20.0%")]
    assert sorted(counts) == sorted([*expected_counts, ("no category", "12", "20.0%")])
    assert counts[0] == expected_counts[0]
    (about,) = [row for row in parsed.rows if row[0].endswith(".tif") and "too few" in row[5]]
    assert about[1] == "100 x 80"
    assert about[3:] == ["2020-05-01", "60 of 64 pixels", "10 too few valid pixels", "87.5%"]
    told = {row["category"]: row for row in tiles.evaluate()}
    measured = {row[0]: row[1:] for row in parsed.rows if len(row) == 5 and row[0] in told}
    assert set(measured) == set(told)
    for name, (_, precision, average, chance) in measured.items():
        expected = told[name]
        assert [float(precision), float(average), float(chance)] == pytest.approx(
            [expected["p10"], expected["ap"], expected["chance"]], abs=0.006
        )


def test_every_answer_is_framed_by_what_the_land_cover_says(page: tuple[geocmer.Collection, Parsed]) -> None:
    tiles, parsed = page
    frames = [attributes["class"] for name, attributes in parsed.elements if name == "div" and "class" in attributes]
    assert {"right", "wrong"} <= set(frames)
    asked = re.findall(r"a satellite image of forest, (\d) of (\d) right", parsed.text)
    hits = tiles.search("a satellite image of forest", literal=True, k=6)
    assert asked == [(str(sum(hit.category == "forest" for hit in hits)), str(len(hits)))]


def test_nothing_on_the_page_runs_or_is_fetched(page: tuple[geocmer.Collection, Parsed]) -> None:
    _, parsed = page
    names = {name for name, _ in parsed.elements}
    assert "script" not in names
    assert not any(key.startswith("on") for _, attributes in parsed.elements for key in attributes)
    assert all((a["src"] or "").startswith("data:image/") for name, a in parsed.elements if name == "img")
    assert EVIL in parsed.text
    (policy,) = [a["content"] for name, a in parsed.elements if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert not any("style" in attributes for _, attributes in parsed.elements)  # the policy would drop it


def test_the_map_shows_each_tile_in_its_colour_where_it_lies(page: tuple[geocmer.Collection, Parsed]) -> None:
    _, parsed = page
    source = next(a["src"] for name, a in parsed.elements if name == "img" and "png" in (a["src"] or ""))
    assert source is not None
    picture = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB")
    colours = colours_of({"forest": 24, "water": 12, EVIL: 12, "no category": 12})
    inner = (picture.width - 24, picture.height - 24)
    for n in range(N):
        x = 12 + inner[0] * (n % 10 + 0.5) / 10
        y = picture.height - 12 - inner[1] * (n // 10 + 0.5) / 6
        assert picture.getpixel((int(x), int(y))) == ImageColor.getrgb(colours[CATEGORIES[n % 5] or "no category"]), n


def test_a_map_across_180_degrees_is_one_piece() -> None:
    boxes = np.array([[179.0, 0, 180.0, 1], [180.0, 0, 181.0, 1]])
    picture = Image.open(io.BytesIO(draw_map(boxes, ["#ff0000", "#0000ff"]))).convert("RGB")
    row = [picture.getpixel((x, picture.height // 2)) for x in range(picture.width)]
    assert 0.4 < row.count((255, 0, 0)) / len(row) < 0.5
    assert 0.4 < row.count((0, 0, 255)) / len(row) < 0.5


def test_more_categories_than_colours_share_one_and_are_counted() -> None:
    colours = colours_of({f"c{n:02}": 100 - n for n in range(14)})
    assert list(colours.values()) == [*COLOURS, *[COLOURS[-1]] * 4]
    assert "5 more" in key(colours)
    assert key(colours_of({"only": 1})).count("<span>") == 1


def test_the_plane_holds_the_variance_that_numpy_finds() -> None:
    vectors = np.random.default_rng(3).standard_normal((50, 6)).astype(np.float32) * [5, 3, 1, 1, 1, 1]
    plane, share = principal_plane(vectors.astype(np.float32))
    eigen = np.sort(np.linalg.eigvalsh(np.cov(vectors.T)))[::-1]
    assert share == pytest.approx(eigen[:2].sum() / eigen.sum(), rel=1e-5)
    assert plane.var(axis=0, ddof=1) == pytest.approx(eigen[:2], rel=1e-5)
    assert principal_plane(np.ones((3, 4), np.float32))[0].shape == (3, 2)


def test_an_unembedded_an_empty_and_a_missing_store_are_said(tmp_path: Path) -> None:
    told: list[str] = []
    store = filled(tmp_path / "plain", [tile(n, category="forest") for n in range(3)], None)
    geocmer.open(store.path, notify=told.append).report(tmp_path / "plain.html")
    assert "not embedded" in " ".join(told)
    assert "What looks alike" not in (tmp_path / "plain.html").read_text()
    empty = filled(tmp_path / "empty", [], None)
    with pytest.raises(InputError, match="no tiles"):
        geocmer.open(empty.path).report(tmp_path / "empty.html")
    assert not (tmp_path / "empty.html").exists()
