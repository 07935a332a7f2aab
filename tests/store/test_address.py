from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import tile

from geocmer.errors import StoreError
from geocmer.store import Store
from geocmer.store.address import store_address


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("store", "store"),
        (Path("a/b"), "a/b"),
        ("file:///data/a%20b", "/data/a b"),
        ("FILE:///data/x", "/data/x"),
        ("file://localhost/data/x", "/data/x"),
        ("s3://bucket/x", "s3://bucket/x"),
        ("gs://bucket/x", "gs://bucket/x"),
        ("~/x", "/home/me/x"),
    ],
)
def test_every_form_of_a_name(monkeypatch: pytest.MonkeyPatch, given: str | Path, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert store_address(given) == expected


def test_a_name_that_says_nothing_is_refused() -> None:
    for given, says in {"": "is empty", " ": "is empty", "file://host/x": "the machine 'host'"}.items():
        with pytest.raises(StoreError, match=says):
            store_address(given)


@pytest.mark.parametrize("name", ["run:1", "2020-01-01T12:00", "~/home store", "file://{folder}/as url"])
def test_a_store_is_found_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    name = name.format(folder=tmp_path)
    Store.create(name).add_tiles([tile(1)])
    assert Store.open(name).count() == 1
    assert {entry.name for entry in tmp_path.iterdir()} <= {"home", "run:1", "2020-01-01T12:00", "as url"}
