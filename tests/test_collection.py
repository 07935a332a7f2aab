"""The front door: what one call of a collection does equals what its parts do, in the lightest way that serves."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hits import score_of
from PIL import Image
from synthetic import DIM, ENCODER, filled, noise, raster, tile, unit

import geocmer
from geocmer.errors import FingerprintError, InputError, StoreError
from geocmer.models.encoder import expected_fingerprint
from geocmer.store import Filter, Store
from geocmer.store.vectors import EncoderInfo

N = 40
VECTORS = unit(N)
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


class Encoder:
    """Gives every text a vector of its own."""

    fingerprint, dim, scale, folder = ENCODER.fingerprint, DIM, 100.0, None

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.concatenate([unit(1, seed=zlib.crc32(text.encode())) for text in texts])


def thumbnail() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> geocmer.Collection:
    rows = [
        tile(n, west=n % 8 / 10, south=n // 8 / 10, category=("forest", EVIL)[n % 2], thumbnail=thumbnail())
        for n in range(N)
    ]
    store = filled(tmp_path_factory.mktemp("collection") / "store", rows, VECTORS)
    return geocmer.open(store.path, encoder=Encoder())


def ranking(query: np.ndarray) -> list[str]:
    """Ids, best first, by brute force."""
    scores = VECTORS.astype(np.float16).astype(np.float64) @ query.astype(np.float64)
    return [f"{n:032x}" for n in np.argsort(-scores, kind="stable")]


def mean(*texts: str) -> np.ndarray:
    return Encoder().encode_texts(texts).astype(np.float64).mean(axis=0)


def test_words_find_what_brute_force_finds(tiles: geocmer.Collection) -> None:
    assert [hit.id for hit in tiles.search("lake", k=7)] == ranking(mean("lake"))[:7]
    assert [hit.id for hit in tiles.search("lake", "town", k=None)] == ranking(mean("lake", "town"))
    away = mean("lake") - 0.5 * mean("town")
    assert [hit.id for hit in tiles.search("lake", minus="town", k=7)] == ranking(away)[:7]
    liked = f"{3:032x}"
    assert tiles.search(like=liked, k=1)[0].id == liked
    assert tiles.search("lake", more=[liked], k=3).title == "lake"


def test_one_text_may_hold_relations(tiles: geocmer.Collection) -> None:
    related = tiles.search("airport near river", k=5)
    assert all(len(hit.partners) == 1 and hit.partners[0].relation == "near river" for hit in related)
    assert len(related[0].partners) == 1, "by position too"
    for plain in (tiles.search("airport near river", literal=True), tiles.search("airport near river", "lake")):
        assert all(hit.partners == () for hit in plain)
    assert [hit.id for hit in tiles.search("airport near river", literal=True, k=3)] == ranking(
        mean("airport near river")
    )[:3]
    for option in ({"category_prior": 0.5}, {"approximate": True}):
        with pytest.raises(InputError, match="does not go with the relations"):
            tiles.search("airport near river", **option)


def test_conditions_by_name_and_as_a_filter_are_one(tiles: geocmer.Collection) -> None:
    box = geocmer.BBox(0, 0, 0.25, 0.25)
    named = tiles.search("lake", bbox=(0, 0, 0.25, 0.25), category="forest", k=None)
    given = tiles.search("lake", filter=Filter(box, "forest"), k=None)
    assert [hit.id for hit in named] == [hit.id for hit in given]
    assert {int(hit.id, 16) for hit in named} == {0, 2, 8, 10, 16, 18}


def test_hits_are_a_sequence(tiles: geocmer.Collection) -> None:
    hits = tiles.search("lake", k=9)
    every = list(hits)
    assert len(hits) == len(every) == 9
    assert hits[0] == every[0]
    assert hits[-1] == every[-1]
    assert hits[2:5] == every[2:5]
    assert hits[::-4] == every[::-4]
    assert hits[9:] == []
    with pytest.raises(IndexError):
        hits[9]


def test_hits_go_into_geopandas_and_files(tiles: geocmer.Collection, tmp_path: Path) -> None:
    hits = tiles.search("lake", k=5)
    frame = hits.to_geopandas()
    assert frame["id"].tolist() == [hit.id for hit in hits]
    assert frame["score"].tolist() == [round(score_of(hit), 6) for hit in hits]
    assert frame.crs == "EPSG:4326"
    assert all(found.equals(hit.geometry) for found, hit in zip(frame.geometry, hits, strict=True))
    assert hits.save(tmp_path / "hits.geojson") == 5
    written = json.loads((tmp_path / "hits.geojson").read_text())["features"]
    assert [one["id"] for one in written] == [hit.id for hit in hits]
    assert tiles.export(tmp_path / "tiles.csv", category="forest") == N / 2
    assert len(tiles.search("lake", min_score=2).to_geopandas()) == 0


def test_hits_are_printed_as_an_aligned_table(tiles: geocmer.Collection) -> None:
    hits = tiles.search("lake", k=25, keep="all")
    assert repr(hits) == "<25 hits for 'lake'>"
    head, columns, *lines, rest = str(hits).splitlines()
    assert (head, rest, len(lines)) == ("25 hits for 'lake':", "... and 5 more", 20)
    for hit, line in zip(hits, lines, strict=False):
        for name, value in (("rank", f"{hit.rank} "), ("score", f"{hit.score:.3f} "), ("tile", f"{hit.id[:8]} ")):
            assert line[columns.index(name) :].startswith(value)
    assert str(tiles.search("lake", min_score=2)) == "0 hits for 'lake'"
    assert "\n1 hit for 'lake':" in f"\n{tiles.search('lake', k=1)}"
    assert "1 hit<" in tiles.search("lake", k=1)._repr_html_()


@pytest.mark.parametrize(
    ("ask", "method", "given", "meant"),
    [
        (lambda tiles: tiles.search("lake", catgory="forest"), "Collection.search", "catgory", "category"),
        (lambda tiles: tiles.search("lake", min_prob=0.5), "Collection.search", "min_prob", "min_probability"),
        (lambda tiles: list(tiles.search_many(["lake"], kk=3)), "Collection.search_many", "kk", "k"),
        (lambda tiles: tiles.export("a.csv", bbx="1,2,3,4"), "Collection.export", "bbx", "bbox"),
        (lambda tiles: tiles.detect("lake", sinse="2020"), "Collection.detect", "sinse", "since"),
        (lambda tiles: geocmer.open(tiles.path, modle="x"), "geocmer.open", "modle", "model"),
    ],
)
def test_a_misspelt_argument_is_told_with_the_nearest(
    tiles: geocmer.Collection, ask: Callable[[geocmer.Collection], object], method: str, given: str, meant: str
) -> None:
    with pytest.raises(TypeError) as error:
        ask(tiles)
    assert str(error.value) == f"{method}() has no argument {given!r}; did you mean {meant!r}?"


class Page(HTMLParser):
    """What a browser would make of a text: its elements and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_notebook_shows_pictures_and_a_map_and_runs_nothing(tiles: geocmer.Collection) -> None:
    hits = tiles.search(EVIL, literal=True, k=6)
    page = Page(hits._repr_html_())
    names = [name for name, _ in page.elements]
    assert names.count("img") == 6
    assert names.count("svg") == 1
    assert names.count("path") + names.count("circle") == 6
    assert "script" not in names
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    sources = [attributes["src"] or "" for name, attributes in page.elements if name == "img"]
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources), "nothing is fetched"
    assert EVIL in page.text
    assert f"{hits[0].score:.3f}" in page.text
    assert "0 hits" in Page(tiles.search("lake", min_score=2)._repr_html_()).text


def test_a_notebook_explores_the_page_that_is_saved_apart_from_itself(
    tiles: geocmer.Collection, tmp_path: Path
) -> None:
    hits = tiles.search(EVIL, literal=True, k=6)
    ((name, attributes),) = Page(hits.explore(height=333)._repr_html_()).elements
    hits.save(tmp_path / "hits.html")
    assert name == "iframe"
    assert attributes["srcdoc"] == (tmp_path / "hits.html").read_text()
    assert attributes["sandbox"] == "allow-scripts"  # and no more: it is of another origin than the notebook
    assert "height:333px" in (attributes["style"] or "")


def test_a_scene_is_added_and_its_tiles_are_cut_again(tmp_path: Path) -> None:
    pixels = noise(3, 64, 96)
    tiles = geocmer.open(tmp_path / "store", encoder=Encoder())
    assert not (tmp_path / "store").exists(), "made by what is added first"
    with pytest.raises(StoreError, match="there is no store at"):
        tiles.search("lake")
    report = tiles.add(raster(tmp_path / "scene.tif", pixels), size=32, embed=False)
    assert (report.added, len(tiles)) == (6, 6)
    tiles.store.reembed(ENCODER, lambda keys: unit(len(keys)))
    for hit in tiles.search("lake", k=6):
        cut = np.asarray(hit.image()).astype(float)
        true = pixels[:, hit.row : hit.row + 32, hit.col : hit.col + 32].transpose(1, 2, 0)
        assert cut.shape == true.shape
        assert np.corrcoef(cut.ravel(), true.ravel())[0, 1] > 0.99
    assert tiles.info()["tiles"] == 6
    with pytest.raises(InputError, match="was not read from a store"):
        type(hit)(**{**{name: getattr(hit, name) for name in hit.__slots__}, "read_pixels": None}).image()


def test_another_encoder_is_refused(tiles: geocmer.Collection) -> None:
    other: Any = Encoder()
    other.fingerprint = "0" * 32
    with pytest.raises(FingerprintError):
        geocmer.open(tiles.path, encoder=other).search("lake")


def test_a_search_by_words_imports_nothing_heavy(tmp_path: Path) -> None:
    """Also on the command line, with relations, into a file, and in Python."""
    info = EncoderInfo(expected_fingerprint() or "", "bundled", "", 384)
    store = Store.create(tmp_path / "store")
    store.add_encoder(info)
    store.add_tiles([tile(n, west=n / 10) for n in range(9)], unit(9, 384))
    (point,) = entry_points(group="console_scripts", name="geocmer")
    code = (
        "import sys, geocmer\n"
        f"from {point.module} import {point.attr} as main\n"
        f"hits = geocmer.open({str(tmp_path / 'store')!r}).search('a lake', bbox=(0, -1, 0.3, 1))\n"
        "assert len(hits) == 4, len(hits)\n"
        "for words in (['a lake'], ['airport near river', '-o', 'hits.geojson']):\n"
        f"    sys.argv = ['geocmer', 'search', *words, '--store', {str(tmp_path / 'store')!r}]\n"
        "    try: main()\n"
        "    except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'torch', 'lancedb', 'rasterio', 'geopandas', 'transformers', 'open_clip', 'timm'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"
    assert (tmp_path / "hits.geojson").is_file()


def test_importing_geocmer_imports_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import geocmer; assert geocmer.__version__;"
        "print(sorted({'numpy', 'shapely', 'torch', 'pyarrow', 'typer'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(geocmer.__all__) == {
        "BBox", "Collection", "Encoder", "Region", "__version__", "evaluate", "open", "train",
    }  # fmt: skip
    assert all(callable(getattr(geocmer, name)) for name in geocmer.__all__ if name != "__version__")


def test_an_earlier_version_cannot_be_added_to(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 64, 64))
    geocmer.open(tmp_path / "store").add(path, size=32, embed=False)
    (version, *_) = Store.open(tmp_path / "store").versions()
    before = Store.open(tmp_path / "store").count()
    with pytest.raises(InputError, match=r"cannot be added to"):
        geocmer.open(tmp_path / "store", as_of=version.number).add(path, size=16, embed=False)
    assert Store.open(tmp_path / "store").count() == before
