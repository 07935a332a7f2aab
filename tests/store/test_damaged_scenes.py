"""The record of one scene is damaged: every other scene stays usable, the damaged one is named and can be mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import ENCODER, contents, noise, raster, unit

from geocmer.doctor.run import examine
from geocmer.errors import InputError
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.store.facts import describe
from geocmer.store.store import Store
from geocmer.store.tile_images import TileImageReader

OPTIONS = TileOptions(size=32)
DAMAGE = [
    pytest.param("grid", "[]", id="grid"),
    pytest.param("grid", '{"size": 32, "stride"', id="cut off"),
    pytest.param("stretch", "{}", id="stretch"),
    pytest.param("account", "[" * 100_000, id="report"),
    pytest.param("landcover", '{"x": 1}', id="settings"),
    pytest.param("item", "7", id="item"),
]


@pytest.fixture
def scenes(tmp_path: Path) -> list[Path]:
    return [raster(tmp_path / f"scene {n}.tif", noise(3, 64, 96, seed=n)) for n in range(2)]


@pytest.fixture
def store(tmp_path: Path, scenes: list[Path]) -> Store:
    """Two scenes of six tiles."""
    store = Store.create(tmp_path / "store")
    for path in scenes:
        ingest(path, store, None, OPTIONS)
    store.reembed(ENCODER, lambda keys: unit(len(keys)))
    return store


def damage(store: Store, column: str, text: str) -> str:
    """Put a text into a column of the first scene's record; return the scene's id."""
    name = store.scenes()[0].id
    quoted = text.replace("'", "''")
    store._newest("scenes").update({column: f"'{quoted}'"}, f"id = '{name}'")
    return name


@pytest.mark.parametrize(("column", "text"), DAMAGE)
def test_the_other_scenes_are_read_and_the_damaged_one_is_named(
    store: Store, scenes: list[Path], column: str, text: str
) -> None:
    whole = store.scenes()[1]
    name = damage(store, column, text)
    assert store.scenes() == [whole] == [store.scene(whole.id)]
    assert store.scenes_of(str(scenes[0])) == []
    assert store.scenes_of(str(scenes[1])) == [whole]
    assert list(store.damaged_scenes()) == [name]
    facts = describe(store)
    assert {uri: [row["id"] for row in rows] for uri, rows in facts["scenes"].items()} == {
        str(scenes[1]): [whole.id[:8]]
    }
    assert facts["damaged_scenes"] == {str(scenes[0]): name[:8]}
    found = {finding.kind: finding for finding in examine(store, fix=True).findings}
    assert set(found) == {"damaged scene"}
    assert found["damaged scene"].count == 1
    assert f"{scenes[0]} is damaged" in found["damaged scene"].example
    assert f"geocmer remove {name[:8]} --store" in found["damaged scene"].remedy


def test_pixels_of_the_other_scenes_are_read_and_those_of_the_damaged_one_refused_by_name(
    store: Store,
) -> None:
    name, whole = (row.id for row in store.scenes())
    with TileImageReader(store) as images:
        before = images.pixels(whole, 32, 64)
    damage(store, "grid", "[]")
    with TileImageReader(store) as images:
        np.testing.assert_array_equal(images.pixels(whole, 32, 64), before)
        with pytest.raises(InputError, match=rf"scene .*scene 0\.tif is damaged.*`geocmer remove {name[:8]}`"):
            images.pixels(name, 0, 0)


@pytest.mark.parametrize(("column", "text"), DAMAGE)
def test_tiling_the_scene_again_writes_its_record_anew_and_leaves_its_tiles(
    store: Store, scenes: list[Path], column: str, text: str
) -> None:
    before, tiles = store.scenes()[0], contents(store)
    damage(store, column, text)
    report = ingest(scenes[0], store, None, OPTIONS)
    assert report.added == 0
    assert contents(store) == tiles
    assert store.damaged_scenes() == store.unfinished_uris() == {}
    (again,) = (row for row in store.scenes() if row.id == before.id)
    assert replace(again, created_at=before.created_at) == before


def test_a_damaged_scene_is_removed_by_its_file(store: Store, scenes: list[Path]) -> None:
    damage(store, "stretch", "null")
    (name,) = store.find_scenes(str(scenes[0]))
    assert store.remove_scene(name) == 6
    assert store.damaged_scenes() == {}
    assert [row.uri for row in store.scenes()] == [str(scenes[1])]
    assert {record["scene_id"] for record in contents(store)} == {store.scenes()[0].id}
