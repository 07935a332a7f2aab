"""What is a store, what is none, and what becomes one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic import filled, tile, unit

from geocmer.errors import StoreError
from geocmer.search.vector_search import nearest_tiles
from geocmer.store import schema
from geocmer.store.store import Store

# -- opening ----------------------------------------------------------------------------------------------------------


def _missing(path: Path) -> None:
    pass


def _file(path: Path) -> None:
    path.write_text("not a store")


def _empty_folder(path: Path) -> None:
    path.mkdir()


def _other_things(path: Path) -> None:
    path.mkdir()
    (path / "holiday.jpg").write_bytes(b"x")


def _foreign_lancedb(path: Path) -> None:
    import lancedb

    for name in ("tiles", "scenes"):
        lancedb.connect(path).create_table(name, data=[{"a": 1}])


def _half_made(path: Path) -> None:
    Store.create(path)
    shutil.rmtree(path / "scenes.lance")


def _other_schema(path: Path) -> None:
    Store.create(path)._dataset("tiles").update_schema_metadata({schema.SCHEMA_KEY: "999"})


def _damaged(path: Path) -> None:
    Store.create(path)
    for manifest in (path / "tiles.lance" / "_versions").iterdir():
        manifest.write_bytes(b"junk")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_missing, "geocmer tile"),
        (_file, "name the folder of a store"),
        (_empty_folder, "is not a geocmer store"),
        (_other_things, "is not a geocmer store"),
        (_foreign_lancedb, "not a geocmer store"),
        (_half_made, "incomplete; complete it with `geocmer tile"),
        (_other_schema, "has schema version 999, this geocmer reads 1"),
        (_damaged, "cannot read"),
    ],
)
def test_what_is_not_a_store_is_refused_in_one_line(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    path = tmp_path / 'it\'s a "store"; Überraschung'
    make(path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError) as refusal:
        Store.open(path)
    message = str(refusal.value)
    assert str(path) in message
    assert says in message
    assert "\n" not in message
    assert sorted(tmp_path.rglob("*")) == before, "refusing must not touch anything"


@pytest.mark.parametrize("make", [_file, _other_things, _foreign_lancedb, _other_schema])
def test_a_store_is_not_made_over_something_else(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "place")
    with pytest.raises(StoreError, match=r"place.*;"):
        Store.open_or_create(tmp_path / "place")
    with pytest.raises(StoreError):
        Store.create(tmp_path / "place")


@pytest.mark.parametrize("make", [_missing, _empty_folder, _half_made])
def test_a_store_is_made_or_completed(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "store")
    store = Store.open_or_create(tmp_path / "store")
    assert store.add_tiles([tile(1)]) == 1
    assert Store.open(tmp_path / "store").count() == 1


def test_a_store_may_lie_at_any_path(tmp_path: Path) -> None:
    path = tmp_path / 'o\'brien; "DROP" 水 %20' / "a b"
    filled(path, [tile(1)], unit(1))
    assert len(nearest_tiles(Store.open(path), unit(1)[0])) == 1
