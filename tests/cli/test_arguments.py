"""Arguments as shells and people hand them over, by way of the whole command."""

from __future__ import annotations

from pathlib import Path

import pytest
from geocmer_cli.main import app
from synthetic import tile
from typer.testing import CliRunner

from geocmer.errors import InputError, StoreError
from geocmer.store import Store

VALUED = ("--bbox", "--region", "--category", "--since", "--until", "--where", "--gsd", "--as-of", "--store")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("arguments") / "store"
    Store.create(path).add_tiles([tile(n, category="forest") for n in range(3)])
    return path


def _export(store: Path, *arguments: str) -> tuple[int, str, BaseException | None]:
    target = store.with_name("out.geojson")
    target.unlink(missing_ok=True)
    result = CliRunner().invoke(app, ["export", "--store", str(store), "-o", str(target), *arguments])
    return (target.read_text().count('"Polygon"') if target.exists() else -1), result.stderr, result.exception


@pytest.mark.parametrize("name", VALUED)
@pytest.mark.parametrize("value", ["", "  "])
@pytest.mark.parametrize("joined", [True, False])
def test_an_empty_value_is_no_missing_option(store: Path, name: str, value: str, joined: bool) -> None:
    count, _, error = _export(store, *([f"{name}={value}"] if joined else [name, value]))
    assert count == -1
    assert isinstance(error, InputError)
    assert name in str(error)


@pytest.mark.parametrize(
    "box",
    [
        ["--bbox=-180,-90,180,90"],
        ["--bbox", "-180,-90,180,90"],
        ["--bbox", "-180", "-90", "180", "90"],
        ["--bbox", "-180.0,", "-90,", "180,", "90"],
        ["--bbox", "[-180", "-90", "180", "90]"],
        ["--bbox", "-180 -90 180 90"],
        ["--bbox", "[-180, -90, 180, 90]"],
        ["--bbox", "(-180 ,-90 ,180 ,90)"],
    ],
)
def test_a_box_in_every_form(store: Path, box: list[str]) -> None:
    assert _export(store, *box)[0] == 3
    assert _export(store, *box, "--category", "forest")[0] == 3


@pytest.mark.parametrize("box", ["1,2,3", "1,,2,3,4", "[1,2,3,4", "1;2;3;4", "1 2 3 4 5"])
def test_what_is_no_box(store: Path, box: str) -> None:
    count, _, error = _export(store, "--bbox", box)
    assert count == -1
    assert isinstance(error, InputError)
    assert "four numbers" in str(error)


@pytest.mark.parametrize("category", ["Forest", "forrest", "sea"])
def test_an_unknown_category_names_those_there_are(store: Path, category: str) -> None:
    count, _, error = _export(store, "--category", category)
    assert count == -1
    assert isinstance(error, InputError)
    assert "'forest'" in str(error) or ": forest" in str(error)


def test_a_category_that_no_tile_has_is_said_beside_one_that_some_have(store: Path) -> None:
    count, said, _ = _export(store, "--where", "category in ('forest', 'forrest')")
    assert count == 3
    assert "no tile has the category 'forrest'; did you mean 'forest'" in said


def test_a_box_round_most_of_the_earth_is_said(store: Path) -> None:
    assert "swap west and east" in _export(store, "--bbox=10,-90,9,90")[1]
    assert "swap west and east" not in _export(store, "--bbox=170,-90,-170,90")[1]


@pytest.mark.parametrize(
    "words",
    [
        ["tile", ""],
        ["tile", "scene.tif", " "],
        ["calibrate", ""],
        ["report", ""],
        ["remove", ""],
        ["search", "lake", "--", ""],
        ["export", "-o", "x.gpkg", "--category", "forest", "--category=water"],
        ["export", "-o", "x.gpkg", "-o", "x.kml"],
        ["export", "-o", "x.gpkg", "-ox.kml"],
        ["change", "lake", "--from", "2001", "--before", "2002", "--to", "2003"],
        ["search", "lake", "--all", "-k", "3"],
        ["search", "lake", "--all-dates", "--keep", "newest"],
        ["search", "lake", "--style"],
        ["change", "lake", "--from", "2001", "--to", "2003", "--thumbnails"],
        ["tile", "scene.tif", "--no-embed", "--views", "2"],
        ["train", "set.json", "--no-cache", "--cache-dir", "cache"],
        ["detect", "lake", "-o", "x.tif", "--min-probability", "0.3"],
        ["detect", "lake", "-o", "x.gpkg", "--resolution", "10"],
        ["search", "lake", "--save", "a/b"],
        ["search", "lake", "--min-score", "nan"],
    ],
)
def test_nothing_that_was_written_is_dropped_in_silence(
    store: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOCMER_STORE", str(store))
    monkeypatch.chdir(store.parent)
    before = sorted(store.parent.iterdir())
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, InputError)
    assert "\n" not in str(error)
    assert sorted(store.parent.iterdir()) == before


def test_the_same_twice_is_the_same(store: Path) -> None:
    assert _export(store, "--category", "forest", "--category=forest")[0] == 3


def test_a_command_needs_no_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["info"])
    assert isinstance(result.exception, StoreError), "there is no store, and nothing else is wrong"


def test_bytes_that_are_no_utf8_are_refused(store: Path) -> None:
    result = CliRunner().invoke(app, ["search", "caf\udce9", "--store", str(store)])
    assert isinstance(result.exception, InputError)
    assert "UTF-8" in str(result.exception)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["--ray", "a.tif"], ["--ray", "local", "a.tif"]),
        (["a.tif", "--ray"], ["a.tif", "--ray", "local"]),
        (["--ray", "--size", "8"], ["--ray", "local", "--size", "8"]),
        (["--ray", "auto", "a.tif"], ["--ray", "auto", "a.tif"]),
        (["--ray", "ray://head:10001", "a.tif"], ["--ray", "ray://head:10001", "a.tif"]),
        (["--ray", "10.0.0.1:6379", "s3://b/a.tif"], ["--ray", "10.0.0.1:6379", "s3://b/a.tif"]),
        (["--ray", "s3://b/a.tif"], ["--ray", "local", "s3://b/a.tif"]),
    ],
)
def test_ray_may_be_given_without_an_address(given: list[str], read: list[str]) -> None:
    from geocmer_cli.arguments import _addressed_ray

    assert list(_addressed_ray(given)) == read
