"""`geocmer search` on tiles of the bundled model: relations, explanations, heat maps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import Run
from synthetic import noise, raster


@pytest.mark.usefixtures("one_encoder")
def test_a_relation_is_asked_in_words_and_written_with_the_line_to_its_partner(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two scenes of one place, six tiles of 320 m each."""
    monkeypatch.chdir(tmp_path)  # --explain draws into a folder beside
    store, file = tmp_path / "store", tmp_path / "hits.geojson"
    scenes = [raster(tmp_path / f"{seed}.tif", noise(3, 64, 96, seed=seed)) for seed in (1, 2)]
    assert run("tile", *scenes, "--size", 32, "--store", store, "--device", "cpu")[0] == 0
    asked = ("--store", store, "--device", "cpu")

    code, out, err = run("search", "airport near river", "--json", *asked)
    assert code == 0
    assert "read as: airport near river" in err
    hits = [json.loads(line) for line in out.splitlines()]
    assert 1 <= len(hits) <= 6
    assert f"{12 - len(hits)} hits that show the same places are hidden; see them with --all-dates" in err
    assert [hit["rank"] for hit in hits] == [*range(1, len(hits) + 1)]
    assert all(0 < hit["score"] < 1 and hit["partners"][0]["relation"] == "near river" for hit in hits)
    code, out, err = run("search", "airport near river", "--json", "--all", "--all-dates", *asked)
    assert len(out.splitlines()) == 12
    assert "hidden" not in err
    code, out, err = run("search", "airport near river", "--json", "-k", 1, "--explain", *asked)
    assert "LanceDB scan, then a join by upper bounds, exact" in err

    code, out, err = run("search", "airport within 5 km north of river", "--all-dates", "-o", file, *asked)
    assert (code, out) == (0, "")
    assert "6 hits written" in err, "the northern row of both scenes"
    features = json.loads(file.read_text())["features"]
    tiles = {one["id"]: one["geometry"] for one in features if one["geometry"]["type"] == "Polygon"}
    lines = [one for one in features if one["geometry"]["type"] == "LineString"]
    assert len(tiles) == len(lines) == 6
    for line in lines:
        (_, north), *_, (_, south) = line["geometry"]["coordinates"]
        assert north > south
        assert line["properties"]["hit"] in tiles
        assert line["properties"]["distance_m"] == 0, "the tiles touch"


@pytest.mark.usefixtures("one_encoder")
def test_search_explains_itself_in_words_and_pictures(
    run: Run, tmp_path: Path, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "store"
    assert run("tile", scene, "--size", 32, "--store", store)[0] == 0
    code, out, err = run("search", "a lake", "--store", store, "-k", 1, "--explain", "--approximate")
    assert code == 0
    hits = [json.loads(line) for line in out.splitlines()]
    assert "exact: the answer of brute force" in err
    assert "the answer is exact" in err  # so few tiles need no index
    names = sorted(path.name for path in (tmp_path / "geocmer-explain").iterdir())
    assert names == [f"{hit['rank']:03d}-{hit['id'][:8]}.png" for hit in hits]
    assert run("search", "a lake", "--store", store, "-k", 1, "--explain", "-o", tmp_path / "h.geojson")[0] == 0
    assert len(list((tmp_path / "h-explain").iterdir())) == 1
    assert run("search", "a lake", "--store", store, "-k", 2, "--explain", "-o", "-")[0] == 0
    assert len(list((tmp_path / "geocmer-explain").iterdir())) == 2
    assert not (tmp_path / "--explain").exists()
    scene.unlink()
    code, out, err = run("search", "a lake", "--store", store, "-k", 2, "--explain")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "no heat maps: " in err


def test_a_finished_scene_is_tiled_again_without_building_a_tower(
    run: Run, tmp_path: Path, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("tile", scene, "--size", 32, "--store", tmp_path / "store")[0] == 0
    monkeypatch.setattr("geocmer.models.bundled._efficientnet", lambda *_: 1 / 0)
    monkeypatch.setattr("geocmer.models.bundled.MiniLM.load", lambda *_: 1 / 0)
    code, _, err = run("tile", scene, "--size", 32, "--store", tmp_path / "store")
    assert code == 0
    assert "nothing to do" in err
