"""Records: what was written last is read, by whoever opens the store, whatever was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from geocmer.errors import StoreError
from geocmer.store import lance, records
from geocmer.store.records import read_records, remove_record, write_record
from geocmer.store.store import Store


def test_records_are_replaced_kept_apart_and_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    Store.create(path)
    assert read_records(path, "concept") == {}
    remove_record(path, "concept", "none")
    for text in ("first", "second"):
        write_record(path, "concept", "it's", text)
    write_record(path, "search", "it's", "other")
    assert read_records(path, "concept") == {"it's": "second"}
    assert read_records(path, "search") == {"it's": "other"}
    remove_record(path, "concept", "it's")
    assert read_records(path, "concept") == {}
    assert read_records(path, "search") == {"it's": "other"}
    assert Store.open(path).count() == 0


def test_a_writer_that_is_killed_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "store")
    Store.create(path)

    def killed(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lance, "upsert", killed)
        with pytest.raises(KeyboardInterrupt):
            write_record(path, "concept", "a", "1")
    assert read_records(path, "concept") == {}, "the table is there, and empty"
    write_record(path, "concept", "a", "1")
    with monkeypatch.context() as patch:
        patch.setattr(lance, "upsert", killed)
        with pytest.raises(KeyboardInterrupt):
            write_record(path, "concept", "a", "2")
    assert read_records(path, "concept") == {"a": "1"}


def test_a_damaged_table_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    Store.create(path)
    write_record(path, "concept", "a", "1")
    for file in (tmp_path / "store" / f"{records.TABLE}.lance" / "data").iterdir():
        file.write_bytes(b"")
    with pytest.raises(StoreError, match=r"^[^\n]+$"):
        read_records(path, "concept")
