"""Every fault that is put into a sound store is found, alone; what is fixed is as it was; nothing else is touched."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from synthetic import DIM, ENCODER, OTHER, contents, noise, raster, tile, unit

from geocmer.doctor.report import Report
from geocmer.doctor.run import examine
from geocmer.errors import ModelError
from geocmer.ingest.pipeline import TileOptions, ingest
from geocmer.models.encoder import expected_fingerprint
from geocmer.models.hole_fill import FILL
from geocmer.models.trust import remember
from geocmer.store import lance, maintenance, mmap_cache, versions
from geocmer.store.schema import tiles_schema
from geocmer.store.store import Store
from geocmer.store.vectors import vector_field

Fault = Callable[[Store], object]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two scenes of six tiles, embedded."""
    monkeypatch.setattr(maintenance, "MAX_DELETED_SHARE", 1e9)  # of so few rows, each that is replaced is a large share
    db = Store.create(tmp_path / "a store; 'x'")
    for number in range(2):
        scene = raster(tmp_path / f"scene {number}.tif", noise(3, 64, 96, seed=number))
        ingest(scene, db, None, TileOptions(size=32))
    db.reembed(ENCODER, lambda keys: unit(len(keys)))
    return db


def _files(store: Store) -> dict[Path, bytes]:
    """Everything in a store but the leases of those who read it now."""
    files = (path for path in Path(store.path).rglob("*") if path.is_file() and path.parent.name != "readers")
    return {path: path.read_bytes() for path in files}


def _kinds(report: Report) -> list[str]:
    return [finding.kind for finding in report.findings]


def _ids(store: Store) -> list[str]:
    return [str(record["id"]) for record in contents(store)]


def _put(store: Store, ids: list[str], vectors: np.ndarray) -> None:
    """Vectors that `set_vectors` would refuse."""
    schema = pa.schema([tiles_schema().field("id"), vector_field(ENCODER)])
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float16).ravel()), DIM)
    rows = pa.Table.from_arrays([pa.array(ids, pa.string()), column], schema=schema)
    lance.upsert(store.path, store._table("tiles"), rows, set(), update=True)


def _data(store: Store, table: str = "tiles") -> Path:
    return Path(store.path) / f"{table}.lance" / "data"


def test_a_sound_store_is_sound_and_stays_as_it_is(store: Store) -> None:
    before = _files(store)
    report = examine(store)
    assert report.sound
    assert report.findings == ()
    assert ["fake" in note for note in report.notes] == [True], "the model has no adapter to look at, and it is said"
    assert _files(store) == before
    assert examine(store, fix=True).sound
    assert any("--quick" in note for note in examine(store, quick=True).notes)
    assert examine(Store.create(Path(store.path).parent / "empty")).sound


# -- what can be is made again -----------------------------------------------------------------------------------------


def _duplicate_rows(store: Store) -> None:
    rows = store._table("tiles").to_arrow().slice(3, 2)
    store._table("tiles").add(rows)
    store._table("tiles").add(rows.slice(1))


def _without_index(store: Store) -> None:
    store._table("tiles").drop_index("ymin_idx")


def _behind_the_index(store: Store) -> None:
    row = store._table("tiles").to_arrow().slice(0, 1)
    store._table("tiles").delete(f"id = '{row['id'][0]}'")
    store._table("tiles").add(row)


def _orphans(store: Store) -> None:
    for name, days in (("0101.lance", 8), ("0202.lance", 6)):
        (_data(store) / name).write_bytes(b"x")
        os.utime(_data(store) / name, (time.time() - days * 86_400,) * 2)


def _stale_cache(store: Store) -> None:
    mmap_cache.build_cache(store.snapshot())
    store.set_categories(_ids(store)[:1], [None], [None], [None])


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
    store.set_categories(_ids(store)[:3], [None] * 3, [None] * 3, [None] * 3)


def _splinters(store: Store) -> None:
    for name in _ids(store):
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
    before = _files(store)
    report = examine(Store.open(store.path))
    assert set(_kinds(report)) == {kind}
    finding = report.findings[0]
    assert (finding.count, finding.fixed, report.sound) == (count, False, False)
    assert finding.example
    assert "geocmer doctor --fix --store " in finding.remedy
    assert _files(store) == before, "looking writes nothing"
    fixed = examine(Store.open(store.path), fix=True)
    assert fixed.sound, fixed.findings
    assert kind in _kinds(fixed)
    assert contents(Store.open(store.path)) == rows
    assert examine(Store.open(store.path)).findings == ()
    if kind == "orphan":
        assert [(_data(store) / f"{name}.lance").exists() for name in ("0101", "0202")] == [False, True]
    copy = mmap_cache.find_cache(Store.open(store.path).snapshot())
    assert (copy is not None) == (wide and "cache" in kind)


def test_old_versions_are_cleared(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "MIN_AGE", versions.MIN_AGE * 0)
    monkeypatch.setattr(versions, "MAX_EXTRA_SHARE", 0.0)
    rows = contents(store)
    store.set_categories(_ids(store), [None] * 12, [None] * 12, [None] * 12)
    assert "old versions" in _kinds(examine(store))
    assert examine(store, fix=True).sound
    assert len(store.versions()) == 1
    assert contents(store) == rows


def test_no_row_is_lost_when_duplicate_rowss_moved_meanwhile(store: Store) -> None:
    _duplicate_rows(store)
    rows = store._table("tiles").search().select(["id"]).with_row_id(True).to_arrow().to_pylist()
    wrong = [(row["id"], other["_rowid"]) for row in rows for other in rows if row["id"] != other["id"]]
    store.remove_duplicates(wrong[:600])
    assert store.count() == len(rows), "a row id of another tile removes nothing"
    before = dict(zip(_ids(store), contents(store), strict=True))
    examine(store, fix=True)
    assert dict(zip(_ids(store), contents(store), strict=True)) == before


def test_of_duplicate_rowss_the_one_with_a_vector_is_kept(store: Store) -> None:
    row = store._table("tiles").to_arrow().slice(5, 1)
    name = row["id"][0].as_py()
    store.set_vectors(ENCODER, [name], None)
    store._table("tiles").add(row)
    report = examine(store, fix=True)
    assert {finding.kind for finding in report.findings} >= {"duplicate", "unembedded"}
    assert report.sound
    assert store.count() == 12
    assert all(record[ENCODER.column] for record in contents(store))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 0.9], ids=str)
def test_vectors_that_are_none_are_taken_out(store: Store, value: float) -> None:
    before = contents(store)
    ids = _ids(store)[2:4]
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


# -- what takes a command ---------------------------------------------------------------------------------------------


def _half_embedded(store: Store) -> None:
    scene = store.scenes()[0].id
    store.set_vectors(ENCODER, [r["id"] for r in contents(store) if r["scene_id"] == scene][:4], None)


def _not_tiled_to_its_end(store: Store) -> None:
    store.add_tiles([tile(1), tile(2, scene_id="abcd" * 8)], unit(2))


def _on_the_way(store: Store) -> None:
    store.add_encoder(OTHER)
    store.set_vectors(OTHER, _ids(store)[:5], unit(5, OTHER.dim))


def _scene_moved(store: Store) -> None:
    path = Path(store.scenes()[1].uri)
    path.rename(path.with_name("moved.tif"))


def _scene_changed(store: Store) -> None:
    path = Path(store.scenes()[1].uri)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _damaged(store: Store) -> None:
    for file in _data(store).iterdir():
        file.write_bytes(file.read_bytes()[:100])


def _lost(store: Store) -> None:
    shutil.rmtree(_data(store))


@pytest.mark.parametrize(
    ("fault", "kind", "count", "remedy"),
    [
        (_half_embedded, "unembedded", 4, "geocmer embed --store "),
        (_not_tiled_to_its_end, "unfinished", 2, "geocmer tile SCENE --size 64 --store "),
        (_on_the_way, "re-embedding", 7, "geocmer embed --model fake-2 --adapter '/an adapter' --store "),
        (
            _scene_moved,
            "missing scene",
            1,
            "geocmer tile NEW_PLACE --size 32 --stride 32 --bands 1,2,3 --min-valid 0.5 --store ",
        ),
        (_scene_changed, "changed scene", 1, "put the old file back"),
        (_damaged, "torn", 1, "backup"),
        (_lost, "torn", 1, "backup"),
    ],
)
def test_what_takes_a_command_is_named_and_left_alone(
    store: Store, fault: Fault, kind: str, count: int, remedy: str
) -> None:
    fault(store)
    before = _files(store)
    for fix in (False, True):
        report = examine(Store.open(store.path), fix)
        (finding,) = report.findings
        assert (finding.kind, finding.count, finding.fixed, report.sound) == (kind, count, False, False)
        assert remedy in finding.remedy
        assert finding.example
        assert "\n" not in "".join((finding.what, finding.example, finding.remedy))
    if fault not in (_on_the_way, _half_embedded):
        assert _files(store) == before
    if kind == "changed scene":
        assert examine(store, quick=True).sound


def test_a_moved_scene_is_found_again_by_tiling_it_there(store: Store) -> None:
    before = contents(store)
    _scene_moved(store)
    moved = next(Path(store.path).parent.glob("moved.tif"))
    assert ingest(moved, store, None, TileOptions(size=32)).added == 0
    assert examine(store).sound
    assert contents(store) == before
    assert str(moved) in store.snapshot().uris.values()


def test_the_command_for_a_moved_scene_works_as_it_is_written(tmp_path: Path) -> None:
    db = Store.create(tmp_path / "it's")
    scene = raster(tmp_path / "scene.tif", noise(3, 100, 90))
    ingest(scene, db, None, TileOptions(32, 17, (3, 1, 2), gsd=13.7, min_valid=0.3))
    before = contents(db)
    scene.rename(tmp_path / "moved.tif")
    (finding,) = [found for found in examine(db).findings if found.kind == "missing scene"]
    _, *args = shlex.split(finding.remedy[finding.remedy.index("geocmer tile") :])
    args[args.index("NEW_PLACE")] = str(tmp_path / "moved.tif")
    subprocess.run([sys.executable, "-m", "geocmer_cli.main", *args, "--no-embed"], check=True)
    assert [found.kind for found in examine(db).findings] == ["unembedded"]
    assert contents(db) == before
    assert len(db.scenes()) == 1


def test_a_scene_that_cannot_be_read_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("geocmer.doctor.scene_files.hash_scene", refuse)
    (finding,) = examine(store).findings
    assert (finding.kind, finding.count) == ("unreadable scene", 2)
    assert "Permission denied" in finding.example


# -- the encoder ------------------------------------------------------------------------------------------------------


def test_the_expected_fingerprint_is_that_of_the_loaded_encoder() -> None:
    from geocmer.models.encoder import Encoder

    assert expected_fingerprint() == Encoder.load(device="cpu").fingerprint
    assert expected_fingerprint("ViT-B-32/openai") is None
    with pytest.raises(ModelError, match="nowhere"):
        expected_fingerprint("bundled", "/nowhere")


def test_an_adapter_that_is_another_one_or_gone_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text(json.dumps({"fingerprint": "f0" * 16}))
    towers_and_adapter = hashlib.blake2b(b"weights" + b"f0" * 16, digest_size=16).hexdigest()
    made = hashlib.blake2b(f"{towers_and_adapter} {FILL}".encode(), digest_size=16).hexdigest()
    store = Store.create(tmp_path / "store")
    store.add_encoder(replace(ENCODER, fingerprint=made, adapter=str(folder)))
    assert "was not used on this computer" in examine(store).notes[0], "no file is read that only the store names"
    remember(ENCODER.model, str(folder))
    assert examine(store).sound
    assert examine(store).notes == ()
    (folder / "model.safetensors").write_bytes(b"others")
    (finding,) = examine(store, fix=True).findings
    assert (finding.kind, finding.what) == ("encoder", "installed model is not the one that made the vectors")
    assert "geocmer embed --store" in finding.remedy
    (folder / "config.json").write_text("{")
    assert "cannot be read" in examine(store).findings[0].what
    shutil.rmtree(folder)
    assert "is gone" in examine(store).findings[0].what


def test_looking_loads_no_model(store: Store) -> None:
    code = (
        "import sys; from geocmer.doctor import examine; from geocmer.store import Store\n"
        "print(examine(Store.open(sys.argv[1]), fix=True).sound, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, store.path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
