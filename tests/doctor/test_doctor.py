"""Every fault that is put into a sound store is found, alone; what is fixed is as it was; nothing else is touched."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from store_files import Fault, data_of, files_of, ids_of
from synthetic import DIM, ENCODER, contents

from geocmer.doctor.report import Report
from geocmer.doctor.run import examine
from geocmer.store import lance, maintenance, mmap_cache, versions
from geocmer.store.records import write_record
from geocmer.store.schema import tiles_schema
from geocmer.store.store import Store
from geocmer.store.vectors import vector_field


def _kinds(report: Report) -> list[str]:
    return [finding.kind for finding in report.findings]


def _put(store: Store, ids: list[str], vectors: np.ndarray) -> None:
    """Vectors that `set_vectors` would refuse."""
    schema = pa.schema([tiles_schema().field("id"), vector_field(ENCODER)])
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float16).ravel()), DIM)
    rows = pa.Table.from_arrays([pa.array(ids, pa.string()), column], schema=schema)
    lance.upsert(store.path, "tiles", rows, set(), update=True)


def test_a_sound_store_is_sound_and_stays_as_it_is(store: Store) -> None:
    before = files_of(store)
    report = examine(store)
    assert report.sound
    assert report.findings == ()
    assert ["fake" in note for note in report.notes] == [True], "the model has no adapter to look at, and it is said"
    assert files_of(store) == before
    assert examine(store, fix=True).sound
    assert any("--quick" in note for note in examine(store, quick=True).notes)
    assert examine(Store.create(Path(store.path).parent / "empty")).sound


# -- what can be is made again -----------------------------------------------------------------------------------------


def _duplicate_rows(store: Store) -> None:
    rows = store._newest("tiles").to_table().slice(3, 2)
    store._newest("tiles").insert(rows)
    store._newest("tiles").insert(rows.slice(1))


def _without_index(store: Store) -> None:
    store._newest("tiles").drop_index("ymin_idx")


def _behind_the_index(store: Store) -> None:
    row = store._newest("tiles").to_table().slice(0, 1)
    store._newest("tiles").delete(f"id = '{row['id'][0]}'")
    store._newest("tiles").insert(row)


def _orphans(store: Store) -> None:
    for name, days in (("0101.lance", 8), ("0202.lance", 6)):
        (data_of(store) / name).write_bytes(b"x")
        os.utime(data_of(store) / name, (time.time() - days * 86_400,) * 2)


def _stale_cache(store: Store) -> None:
    mmap_cache.build_cache(store.snapshot())
    store.set_categories(ids_of(store)[:1], [None], [None], [None])


def _truncated_cache(store: Store) -> None:
    copy = mmap_cache.build_cache(store.snapshot())
    assert copy is not None
    file = copy.folder / "vectors.npy"
    file.write_bytes(file.read_bytes()[:150])
    store._snapshot = None


def _changed_cache(store: Store) -> None:
    copy = mmap_cache.build_cache(store.snapshot())
    assert copy is not None
    vectors = np.load(copy.folder / "vectors.npy", mmap_mode="r+")
    vectors[4, 3] += 0.5
    vectors.flush()
    store._snapshot = None


def _abandoned_draft(store: Store) -> None:
    for name, hours in (("old", 2), ("new", 0)):
        draft = Path(store.path) / "cache" / f".{name}"
        draft.mkdir(parents=True)
        os.utime(draft, (time.time() - hours * 3600,) * 2)


def _mostly_replaced(store: Store) -> None:
    store.set_categories(ids_of(store)[:3], [None] * 3, [None] * 3, [None] * 3)


def _splinters(store: Store) -> None:
    for name in ids_of(store):
        store.set_categories([name], [None], [None], [None])


@pytest.mark.parametrize("wide", [False, True], ids=["small", "wide"])
@pytest.mark.parametrize(
    ("fault", "kind", "count"),
    [
        (_duplicate_rows, "duplicate", 3),
        (_without_index, "index", 12),
        (_behind_the_index, "index", 1),
        (_orphans, "orphan", 1),
        (_stale_cache, "stale cache", 1),
        (_truncated_cache, "stale cache", 1),
        (_changed_cache, "wrong cache", 1),
        (_abandoned_draft, "stale cache", 1),
        (_splinters, "fragments", 12),
        (_mostly_replaced, "fragments", 2),
    ],
)
def test_what_can_be_made_again_is_fixed(
    store: Store, monkeypatch: pytest.MonkeyPatch, fault: Fault, kind: str, count: int, wide: bool
) -> None:
    if kind == "index":
        monkeypatch.setattr("geocmer.store.reader.INDEX_MIN_ROWS", 10)
    monkeypatch.setattr("geocmer.store.mmap_cache.CACHE_MIN_ROWS", 1 if wide else 1000)
    monkeypatch.setattr(versions, "MAX_EXTRA_SHARE", 1e9)
    store.upkeep()
    rows = contents(store)
    if fault is _splinters:
        monkeypatch.setattr(maintenance, "LEVELS", ((0, 8, 3), (8, 100, 3)))
    if fault is _mostly_replaced:
        monkeypatch.setattr(maintenance, "MAX_DELETED_SHARE", 0.1)
    fault(store)
    before = files_of(store)
    report = examine(Store.open(store.path))
    assert set(_kinds(report)) == {kind}
    finding = report.findings[0]
    assert (finding.count, finding.fixed, report.sound) == (count, False, False)
    assert finding.example
    assert "geocmer doctor --fix --store " in finding.remedy
    assert files_of(store) == before, "looking writes nothing"
    fixed = examine(Store.open(store.path), fix=True)
    assert fixed.sound, fixed.findings
    assert kind in _kinds(fixed)
    assert contents(Store.open(store.path)) == rows
    assert examine(Store.open(store.path)).findings == ()
    if kind == "orphan":
        assert [(data_of(store) / f"{name}.lance").exists() for name in ("0101", "0202")] == [False, True]
    copy = mmap_cache.find_cache(Store.open(store.path).snapshot())
    assert (copy is not None) == (wide and "cache" in kind)


def test_old_versions_are_cleared(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "MIN_AGE", versions.MIN_AGE * 0)
    monkeypatch.setattr(versions, "MAX_EXTRA_SHARE", 0.0)
    rows = contents(store)
    store.set_categories(ids_of(store), [None] * 12, [None] * 12, [None] * 12)
    assert "old versions" in _kinds(examine(store))
    assert examine(store, fix=True).sound
    assert len(store.versions()) == 1
    assert contents(store) == rows


def test_no_row_is_lost_when_duplicate_rows_moved_meanwhile(store: Store) -> None:
    _duplicate_rows(store)
    rows = store._newest("tiles").to_table(["id"], with_row_id=True).to_pylist()
    wrong = [(row["id"], other["_rowid"]) for row in rows for other in rows if row["id"] != other["id"]]
    store.remove_duplicates([("x' OR '1'='1", 0), *wrong[:600]])
    assert store.count() == len(rows), "a row id of another tile removes nothing"
    before = dict(zip(ids_of(store), contents(store), strict=True))
    examine(store, fix=True)
    assert dict(zip(ids_of(store), contents(store), strict=True)) == before


def test_of_duplicate_rows_the_one_with_a_vector_is_kept(store: Store) -> None:
    row = store._newest("tiles").to_table().slice(5, 1)
    name = row["id"][0].as_py()
    store.set_vectors(ENCODER, [name], None)
    store._newest("tiles").insert(row)
    report = examine(store, fix=True)
    assert {finding.kind for finding in report.findings} >= {"duplicate", "unembedded"}
    assert report.sound
    assert store.count() == 12
    assert all(record[ENCODER.column] for record in contents(store))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 0.9], ids=str)
def test_vectors_that_are_none_are_taken_out(store: Store, value: float) -> None:
    before = contents(store)
    ids = ids_of(store)[2:4]
    _put(store, ids, np.full((2, DIM), value))
    (finding,) = examine(store).findings
    assert (finding.kind, finding.count) == ("vector", 2)
    assert ids[0] in finding.example or ids[1] in finding.example
    report = examine(store, fix=True)
    assert [(f.kind, f.fixed, f.count) for f in report.findings] == [("vector", True, 2), ("unembedded", False, 2)]
    assert "geocmer embed --store" in report.findings[1].remedy
    after = contents(store)
    assert [r["id"] for r in after if r[ENCODER.column] is None] == ids
    assert [r for r in after if r["id"] not in ids] == [r for r in before if r["id"] not in ids]


def test_damaged_records_are_found_by_kind_and_name(store: Store) -> None:
    write_record(store.path, "concept", "solar", "{")
    write_record(store.path, "saved search", "ponds", "[]")
    found = {finding.example: finding for finding in examine(store, quick=True).findings if finding.kind == "record"}
    assert set(found) == {"solar", "ponds"}
    assert "geocmer concept remove 'solar'" in found["solar"].remedy
    assert "geocmer watch 'ponds' --remove" in found["ponds"].remedy
