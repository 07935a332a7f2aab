"""A scene that cannot be read, or was not finished, does not stop the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import ENCODER, contents, interrupt, noise, raster, tile, unit

from geocmer.doctor import examine
from geocmer.errors import InputError, StoreError
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.store import Store
from geocmer.store.store import TileKey


def test_what_can_be_embedded_is_and_the_rest_is_named(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    store.add_tiles([tile(n, scene_id=f"{n % 2:032x}") for n in range(6)])

    def encode(keys: list[TileKey]) -> np.ndarray:
        assert len({key.scene_id for key in keys}) == 1
        if keys[0].scene_id == f"{1:032x}":
            raise InputError("one.tif is gone")
        return unit(len(keys))

    with pytest.raises(InputError, match=r"^3 tiles have no vector: one\.tif is gone$"):
        store.reembed(ENCODER, encode)
    assert store.encoder == ENCODER
    assert [record[ENCODER.column] is not None for record in contents(store)] == [True, False] * 3


def test_a_removed_scene_leaves_nothing_and_the_others_alone(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    for number in range(2):
        ingest(raster(tmp_path / f"{number}.tif", noise(3, 64, 64, seed=number)), store, None, TileOptions(size=32))
    first, second = store.scenes()
    kept = [record for record in contents(store) if record["scene_id"] == second.id]
    for name in (str(tmp_path / "0.tif"), first.id[:6]):
        assert store.find_scenes(name) == [first.id]
    with pytest.raises(StoreError, match=r"has no scene none.tif; .*0.tif"):
        store.find_scenes("none.tif")
    assert store.remove_scene(first.id) == 4
    assert contents(store) == kept
    assert store.scenes() == [second]
    assert store.remove_scene(first.id) == 0


def test_a_scene_that_shared_tiles_with_a_removed_one_is_completed(tmp_path: Path) -> None:
    path, strides = raster(tmp_path / "a.tif", noise(3, 96, 128)), (32, 16)
    alone = Store.create(tmp_path / "alone")
    ingest(path, alone, None, TileOptions(size=32, stride=16))
    expected = {record["id"] for record in contents(alone)}
    for removed, left in (strides, strides[::-1]):
        store = Store.create(tmp_path / f"store {removed}")
        for stride in strides:
            ingest(path, store, None, TileOptions(size=32, stride=stride))
        ids = {scene.grid.stride: scene.id for scene in store.scenes()}
        store.remove_scene(ids[removed])
        assert list(store.unfinished_uris()) == [ids[left]]
        assert [finding.kind for finding in examine(store).findings] == ["unfinished"]
        ingest(path, store, None, TileOptions(size=32, stride=left))
        assert [scene.id for scene in store.scenes()] == [ids[left]]
        assert [finding.kind for finding in examine(store).findings] == ["unembedded"]
        if left == 16:
            assert {record["id"] for record in contents(store)} == expected


def test_an_unfinished_scene_is_named_by_its_file_and_can_be_removed(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    path = raster(tmp_path / "big.tif", noise(3, 64, 64))
    with pytest.raises(KeyboardInterrupt):
        ingest(path, store, None, TileOptions(size=4), on_window=lambda done, _: interrupt() if done > 200 else None)
    (finding,) = [f for f in examine(store).findings if f.kind == "unfinished"]
    assert str(path) in finding.remedy
    (name,) = store.find_scenes(str(path))
    kept = store.snapshot().count()
    assert 128 <= kept < 256
    assert store.remove_scene(name) == kept
    assert store.unfinished_uris() == {}
    ingest(path, store, None, TileOptions(size=4))
    assert store.unfinished_uris() == {}
