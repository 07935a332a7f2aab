"""A version stays for as long as somebody reads it, and not longer."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from synthetic import contents, filled, tile, unit
from writers import read_until_killed

from geocmer.export import write
from geocmer.search.results import Hit
from geocmer.search.vector_search import iter_tiles
from geocmer.store import Store, versions
from geocmer.store.leases import FOLDER, leased_versions, take_lease

SPACE_IS_SHORT = ("MIN_AGE", "MAX_EXTRA_SHARE", "GRACE")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose upkeep clears every version that is replaced, at once."""
    for name in SPACE_IS_SHORT:
        monkeypatch.setattr(versions, name, getattr(versions, name) * 0)
    return filled(tmp_path / "store", [tile(n) for n in range(40)], unit(40))


def replace_all(store: Store, word: str) -> None:
    ids = [tile(n).id for n in range(40)]
    store.set_categories(ids, [word] * 40, [None] * 40, [None] * 40)
    store.upkeep()


def test_what_is_read_across_upkeep_is_all_there(store: Store) -> None:
    before = contents(store)
    reader = Store.open(store.path)
    snapshot = reader.snapshot()
    number = snapshot.version
    for word in ("a", "b", "c"):
        replace_all(store, word)
        assert number in [version.number for version in store.versions()]
        assert sorted(record["id"] for record in snapshot.dataset.to_table(["id"]).to_pylist()) == [
            record["id"] for record in before
        ]
        assert snapshot.dataset.to_table(["category"])["category"].null_count == 40
    del snapshot, reader
    gc.collect()
    replace_all(store, "d")
    assert number not in [version.number for version in store.versions()]
    assert list((Path(store.path) / FOLDER).iterdir()) == []


def test_a_killed_reader_keeps_nothing(store: Store, processes: Any) -> None:
    number, end = processes.Value("q", 0), processes.Event()
    process = processes.Process(target=read_until_killed, args=(store.path, number, end))
    process.start()
    while not number.value:
        assert process.is_alive()
        time.sleep(0.01)
    replace_all(store, "a")
    assert number.value in [version.number for version in store.versions()], "another process reads it"
    end.set()
    process.join()
    replace_all(store, "b")
    assert number.value not in [version.number for version in store.versions()]
    assert list((Path(store.path) / FOLDER).iterdir()) == []


def test_who_cannot_write_reads_all_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert Store.open(store.path).snapshot().count() == 40


def test_a_name_that_is_no_lease_is_none(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "tiles-x").write_text("")

    class Holder:
        """Holds a version."""

    holder = Holder()
    take_lease(holder, tmp_path / "tiles.lance", 7)
    take_lease(holder, tmp_path / "scenes.lance", 8)
    assert leased_versions(tmp_path / "tiles.lance") == {7}
    del holder
    gc.collect()
    assert leased_versions(tmp_path / "tiles.lance") == set()


def test_upkeep_does_not_wait_for_a_reader_that_pauses(tmp_path: Path) -> None:
    rows = [tile(n, west=n % 300 / 10, south=n // 300 / 10, thumbnail=os.urandom(2500)) for n in range(30_000)]
    store = filled(tmp_path / "store", rows[:500], unit(500))
    for start in range(500, len(rows), 500):
        store.add_tiles(rows[start : start + 500], unit(500))
    other = Thread(target=Store.open(store.path).upkeep, daemon=True)

    def pausing() -> Iterator[Hit]:
        for n, hit in enumerate(iter_tiles(Store.open(store.path))):
            yield hit
            if n == 2500:
                other.start()
                other.join(120)
                assert not other.is_alive(), "upkeep waits for the reader"

    assert write(pausing(), tmp_path / "tiles.geojson") == len(rows)
