"""Faults on the way to the disk, put in at each named step: a rerun makes the store of an undisturbed run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lance
import pytest
from lance.dataset import MergeInsertBuilder
from synthetic import ENCODER, OTHER, contents, filled, interrupt, noise, raster, scene, tile, unit

from geocmer.doctor import examine
from geocmer.errors import FingerprintError, StoreError
from geocmer.export import write
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.search.vector_search import nearest_tiles
from geocmer.store import Store, reader, versions
from geocmer.store.durability import torn_files, torn_fragments
from geocmer.store.vectors import ENCODER_KEY

# -- vectors travel with the encoder that made them --------------------------------------------------------------------


def test_vectors_of_an_encoder_that_was_replaced_meanwhile_are_refused(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(3)], unit(3))
    Store.open(store.path).reembed(OTHER, lambda keys: unit(len(keys), OTHER.dim))
    before = contents(store)
    with pytest.raises(FingerprintError, match=r"takes no vectors of fake \(abab.*embedded with fake-2"):
        store.add_tiles([tile(7)], unit(1), ENCODER)
    with pytest.raises(FingerprintError):
        store.set_vectors(ENCODER, [tile(1).id], unit(1))
    assert contents(store) == before


def test_vectors_are_never_read_as_those_of_another_encoder_of_the_same_length(tmp_path: Path) -> None:
    twin = type(ENCODER)("dc" * 16, "fake", "", ENCODER.dim)
    store = filled(tmp_path / "store", [tile(n) for n in range(3)], unit(3))
    store.add_encoder(twin)
    store.set_vectors(twin, [tile(n).id for n in range(3)], unit(3, seed=1))
    store.activate_encoder(twin)
    with pytest.raises(FingerprintError):
        store.add_tiles([tile(7)], unit(1), ENCODER)
    assert [record["id"] for record in contents(store)] == [tile(n).id for n in range(3)]


def test_of_two_first_encoders_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.create(tmp_path / "store")
    other, write = Store.open(store.path), lance.LanceDataset.update_schema_metadata
    raced: list[bool] = []

    def race(dataset: lance.LanceDataset, values: dict[str, str | None], **more: Any) -> object:
        if not raced:
            raced.append(True)
            other.claim_encoder(OTHER)
        return write(dataset, values, **more)

    monkeypatch.setattr(lance.LanceDataset, "update_schema_metadata", race)
    with pytest.raises(FingerprintError, match="fake-2"):
        store.claim_encoder(ENCODER)
    assert store.encoder == OTHER
    assert store.dead_vectors() == set()
    assert store.add_tiles([tile(1)], unit(1, OTHER.dim), OTHER) == 1


def test_an_encoder_that_was_recorded_without_its_column_is_completed(tmp_path: Path) -> None:
    for first in (ENCODER, OTHER):
        store = Store.create(tmp_path / first.model)
        lance.dataset(f"{store.path}/tiles.lance").update_schema_metadata({ENCODER_KEY: OTHER.to_json()})
        assert store.encoder is None, "there is no column yet"
        store.claim_encoder(first)
        assert store.encoder == first


def test_a_record_of_an_encoder_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(1)], unit(1))
    for text in ("[1]", "{", '{"fingerprint": "x OR 1=1", "model": "m", "adapter": "", "dim": 8}', "[" * 100_000):
        store.set_metadata(ENCODER_KEY, text)
        with pytest.raises(StoreError, match="record of its encoder is damaged"):
            Store.open(store.path).snapshot()


def test_dead_vectors_are_dropped_by_a_rerun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(3)], unit(3))
    with monkeypatch.context() as patch:
        patch.setattr(lance.LanceDataset, "drop_columns", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.reembed(OTHER, lambda keys: unit(len(keys), OTHER.dim))
    assert store.encoder == OTHER
    assert "dead vectors" in [finding.kind for finding in examine(store).findings]
    store.reembed(OTHER, lambda keys: unit(len(keys), OTHER.dim))
    assert store.dead_vectors() == set()


# -- a store is made, and written to, whole or not at all --------------------------------------------------------------


@pytest.mark.parametrize("lacking", ["tiles", "scenes"])
def test_a_store_killed_while_it_was_made_is_completed(tmp_path: Path, lacking: str) -> None:
    store = Store.create(tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / f"{lacking}.lance")
    (tmp_path / "store" / f"{lacking}.lance" / "_transactions").mkdir(parents=True)
    with pytest.raises(StoreError, match="geocmer tile"):
        Store.open(store.path)
    assert Store.open_or_create(store.path).add_tiles([tile(1)]) == 1


def _newest(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)


@pytest.mark.parametrize("update", [False, True], ids=["add_tiles", "set_categories"])
def test_a_commit_whose_file_is_cut_off_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool
) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(4)], unit(4))
    before, execute = contents(store), MergeInsertBuilder.execute

    def cut_off(*args: Any, **kwargs: Any) -> object:
        result = execute(*args, **kwargs)
        file = _newest(tmp_path / "store" / "tiles.lance" / "data")
        os.truncate(file, file.stat().st_size - 8)
        return result

    def write() -> None:
        if update:
            store.set_categories([tile(1).id], ["x"], [None], [None])
        else:
            store.add_tiles([tile(9)])

    with monkeypatch.context() as patch:
        patch.setattr(MergeInsertBuilder, "execute", cut_off)
        with pytest.raises(StoreError, match=r"has \d+ of \d+ bytes.* was undone; see"):
            write()
    assert contents(Store.open(store.path)) == before
    assert store.add_tiles([tile(9)], unit(1)) == 1


@pytest.mark.parametrize("damage", ["empty", "cut off"])
@pytest.mark.parametrize(
    "where", ["tiles/_versions", "scenes/_versions", "tiles/data", "scenes/data", "tiles/_deletions"]
)
def test_after_a_power_cut_the_last_whole_version_answers_and_a_rerun_completes_it(
    tmp_path: Path, where: str, damage: str
) -> None:
    files = [raster(tmp_path / f"{n}.tif", noise(3, 64, 64, seed=n)) for n in range(2)]

    def run(path: Path) -> Store:
        store = Store.open_or_create(path)
        for number, file in enumerate(files):
            ingest(file, store, None, TileOptions(size=32))
            ids = [record["id"] for record in contents(store)][: number + 1]
            store.set_categories(ids, ["a"] * len(ids), [None] * len(ids), [None] * len(ids))
        return store

    store = run(tmp_path / "store")
    expected = contents(store)
    table, folder = where.split("/")
    files_there = [f for f in (tmp_path / "store" / f"{table}.lance" / folder).iterdir() if f.suffix != ".json"]
    file = max(files_there, key=lambda f: (f.stat().st_mtime_ns, -int(f.stem) if f.stem.isdecimal() else 0))
    if damage == "empty":
        file.write_bytes(b"")
    elif folder == "_deletions":
        pytest.skip("the size of a deletion file is not recorded")
    else:
        os.truncate(file, file.stat().st_size // 2)
    again = Store.open_or_create(store.path)
    assert any("stepped back to version" in note for note in again.notes)
    again = run(tmp_path / "store")
    assert contents(again) == expected
    assert len(again.scenes()) == 2
    assert not {"torn", "unreadable", "unfinished", "duplicate"} & {f.kind for f in examine(again, quick=True).findings}


def test_a_file_whose_size_is_not_on_record_is_whole_unless_it_is_empty(tmp_path: Path) -> None:
    """Manifests of older stores have no sizes: what is there then counts as written."""
    (tmp_path / "data").mkdir()
    for name, content in (("a.lance", b"rows"), ("b.lance", b"")):
        (tmp_path / "data" / name).write_bytes(content)
    fragments = [
        SimpleNamespace(
            fragment_id=number,
            metadata=SimpleNamespace(files=[SimpleNamespace(path=name, file_size_bytes=None)], deletion_file=None),
        )
        for number, name in enumerate(("a.lance", "b.lance", "gone.lance"))
    ]
    table = SimpleNamespace(get_fragments=lambda: fragments)
    assert torn_fragments(table, tmp_path) == [1, 2]
    assert [text.split()[0] for text in torn_files(table, tmp_path)] == ["b.lance", "gone.lance"]


def test_whole_rows_are_kept_where_every_version_has_a_torn_file(tmp_path: Path) -> None:
    files = [raster(tmp_path / f"{n}.tif", noise(3, 64, 64, seed=n)) for n in range(3)]

    def run() -> Store:
        store = Store.open_or_create(tmp_path / "store")
        for file in files:
            ingest(file, store, None, TileOptions(size=32))
        return store

    expected = contents(run())
    oldest = min((tmp_path / "store" / "tiles.lance" / "data").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    os.truncate(oldest, 100)
    again = Store.open_or_create(tmp_path / "store")
    assert "without the rows of the damaged files" in again.notes[0]
    assert again.count() == 8
    assert len(again.scenes()) == 2
    assert contents(run()) == expected


def test_a_store_without_any_whole_row_is_no_empty_store(tmp_path: Path) -> None:
    filled(tmp_path / "store", [tile(n) for n in range(4)], unit(4))
    for file in (tmp_path / "store" / "tiles.lance" / "data").iterdir():
        file.write_bytes(b"")
    with pytest.raises(StoreError, match="put the store back from a backup"):
        Store.open_or_create(tmp_path / "store")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names the files of handles")
def test_the_files_of_a_scene_are_synced_before_it_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path / "store", [tile(1)], unit(1))
    synced: list[str] = []
    sync = os.fsync

    def watched(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        if not store.scenes():
            synced.append("not recorded yet")
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    store.add_scene(scene())
    data = [str(file) for file in (tmp_path / "store" / "tiles.lance" / "data").iterdir()]
    assert data
    for file in data:
        assert synced[synced.index(file) + 1] == "not recorded yet"


# -- readers -----------------------------------------------------------------------------------------------------------


def test_a_reader_without_a_lease_whose_version_is_cleared_is_told_to_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "take_lease", lambda *_: None)  # as of one who cannot write to the store
    monkeypatch.setattr(versions, "MIN_AGE", versions.MIN_AGE * 0)
    monkeypatch.setattr(versions, "MAX_EXTRA_SHARE", 0.0)
    store = filled(tmp_path / "store", [tile(n) for n in range(40)], unit(40))
    hits = nearest_tiles(Store.open(store.path), unit(1)[0], k=None)
    ids = [tile(n).id for n in range(40)]
    store.set_categories(ids, ["new"] * 40, [None] * 40, [None] * 40)
    store.upkeep()
    with pytest.raises(StoreError, match=r"version \d+ of .* was cleared while it was read.*; run it again"):
        write(hits, tmp_path / "hits.geojson")
    assert [file.name for file in tmp_path.iterdir()] == ["store"], "nothing half written is left"
