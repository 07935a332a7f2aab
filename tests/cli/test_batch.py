"""Many questions through the command line and through a collection: the answers of one question each."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from synthetic import noise, raster

import geocmer
from geocmer.errors import InputError
from geocmer.models.text_encoder import NumpyTextEncoder
from geocmer.store import records

TEXTS = ["airport", "a lake beside a forest", "river near road", "lake or river near road", "town"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    tiles = geocmer.open(folder / "store")
    tiles.add(raster(folder / "scene.tif", noise(3, 128, 160)), size=32)
    return folder / "store"


def batch(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    (point,) = entry_points(group="console_scripts", name="geocmer")
    monkeypatch.setattr(sys, "argv", ["geocmer", "search", *map(str, args)])
    try:
        point.load()()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_many_texts_find_what_each_finds(place: Path) -> None:
    tiles = geocmer.open(place)
    together = list(tiles.search_many(TEXTS, k=4, where="gsd > 0.1"))
    for text, hits in zip(TEXTS, together, strict=True):
        alone = tiles.search(text, k=4, where="gsd > 0.1")
        assert [hit.id for hit in hits] == [hit.id for hit in alone]
        assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in alone], abs=1e-6)  # encoded together
        assert (hits.title, hits.plan) == (alone.title, alone.plan)
    for options in ({"keep": "all"}, {"k": None}, {"keep": "newest"}, {"min_score": 0.1}, {"literal": True}):
        (hits,) = tiles.search_many(TEXTS[3:4], **options)
        assert [hit.id for hit in hits] == [hit.id for hit in tiles.search(TEXTS[3], **options)]
    with pytest.raises(InputError, match=r"question 2, .*chains"):
        list(tiles.search_many(["lake", "lake near road near river"]))
    assert list(tiles.search_many([])) == []


def test_what_all_questions_need_is_made_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def counted(call: Callable[..., object], *given: object, note: object) -> object:
        made.append(note)
        return call(*given)

    encode, read = NumpyTextEncoder.encode_texts, records.read_records
    monkeypatch.setattr(
        NumpyTextEncoder, "encode_texts", lambda self, texts: counted(encode, self, texts, note=list(texts))
    )
    monkeypatch.setattr(records, "read_records", lambda *given: counted(read, *given, note="records"))
    assert len(list(geocmer.open(place).search_many([*TEXTS[:3], TEXTS[0], TEXTS[4]]))) == 5
    assert made == ["records", [TEXTS[0], TEXTS[4]], ["lake", "forest"], ["river", "road"]]


def test_a_file_of_questions_makes_a_file_of_hits_each(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "q.csv").write_text("id,question\n" + "".join(f'n{n},"{text}"\n' for n, text in enumerate(TEXTS)))
    assert batch(monkeypatch, "--batch", tmp_path / "q.csv", "-o", tmp_path / "out", "-k", 3, "--store", place) == 0
    with (tmp_path / "out" / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["question"]) for row in rows] == [(f"n{n}", text) for n, text in enumerate(TEXTS)]
    tiles = geocmer.open(place)
    for row in rows:
        found = json.loads((tmp_path / "out" / row["file"]).read_text())["features"]
        hits = [one for one in found if one["geometry"]["type"].endswith("Polygon")]
        assert [one["id"] for one in hits] == [hit.id for hit in tiles.search(row["question"], k=3)]
        assert int(row["hits"]) == len(hits) > 0
    for args, says in (
        (["--batch", tmp_path / "q.csv"], "name their folder with -o DIR"),
        (["lake", "--batch", tmp_path / "q.csv", "-o", "x"], "--batch does not go with TEXT"),
        (["--batch", tmp_path / "q.csv", "-o", tmp_path / "q.csv"], "is a file; name a folder"),
        (["--batch", tmp_path / "absent.txt", "-o", tmp_path / "x"], "cannot read the questions"),
    ):
        capsys.readouterr()
        assert batch(monkeypatch, *args, "--store", place) == 1
        assert says in " ".join(capsys.readouterr().err.split())
