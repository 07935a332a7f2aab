"""Filling and looking after a collection: what a call does to the store is what reading the store shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import noise, raster
from tiny import tiny_clip

import geocmer
from geocmer.errors import GeocmerError, InputError, StoreError
from geocmer.ingest.plan import IngestPlan
from geocmer.models.encoder import Encoder
from geocmer.store.store import Store
from geocmer.store.tile_images import TileImageReader

SIZE = 32


def encoder(seed: int = 0) -> Encoder:
    """Real towers with random weights."""
    return Encoder(tiny_clip(seed), None, "", f"{seed + 1:032x}", 16)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return raster(tmp_path / "scene.tif", noise(3, 64, 96))


def stored_vectors(path: Path) -> dict[str, np.ndarray]:
    """Id -> vector, of the encoder whose vectors answer."""
    store = Store.open(path)
    assert store.encoder is not None
    column = store.encoder.column
    rows = [row for batch in store.snapshot().scan(["id", column]) for row in batch.to_pylist()]
    return {row["id"]: np.asarray(row[column], np.float32) for row in rows}


def test_embedding_makes_the_vector_of_each_tile_and_does_it_once(tmp_path: Path, scene: Path) -> None:
    tiles = geocmer.open(tmp_path / "store", encoder=encoder())
    tiles.add(scene, size=SIZE, embed=False)
    seen: list[tuple[int, int]] = []
    assert tiles.embed(progress=lambda *counts: seen.append(counts)) == len(tiles) == 6
    assert seen[-1] == (6, 6)
    found = stored_vectors(tmp_path / "store")
    keys = [row for batch in tiles.store.snapshot().scan(["id", "scene_id", "row", "col"]) for row in batch.to_pylist()]
    with TileImageReader(tiles.store) as images:
        for key in keys:
            pixels = images.pixels(key["scene_id"], key["row"], key["col"])
            np.testing.assert_allclose(found[key["id"]], encoder().encode_images(pixels[None])[0], atol=2e-3)
    assert tiles.embed() == 0


def test_embedding_with_another_model_changes_what_answers(
    tmp_path: Path, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = geocmer.open(tmp_path / "store", encoder=encoder())
    tiles.add(scene, size=SIZE)
    before = stored_vectors(tmp_path / "store")
    monkeypatch.setattr("geocmer.models.encoder.Backbone.load", lambda *_: tiny_clip(1))
    assert tiles.embed(model="tiny") == len(before)
    after = stored_vectors(tmp_path / "store")
    assert after.keys() == before.keys()
    assert all(not np.allclose(after[key], before[key], atol=0.01) for key in before)
    assert tiles.encoder.fingerprint != encoder().fingerprint
    with pytest.raises(StoreError):
        geocmer.open(tmp_path / "store", encoder=encoder()).search("lake")


def test_a_scene_is_checked_before_anything_is_made(tmp_path: Path, scene: Path) -> None:
    tiles = geocmer.open(tmp_path / "store")
    IngestPlan.of(size=SIZE).check(scene)
    for settings in ({"bands": "4,2,1"}, {"bands": "x"}, {"datetime": "soon"}, {"stretch": "wide"}, {"gsd": -1}):
        with pytest.raises(InputError):
            IngestPlan.of(**settings).check(scene)
        with pytest.raises(InputError):
            tiles.add(scene, **settings)
    with pytest.raises(GeocmerError, match="none"):
        tiles.add(scene, landcover=tmp_path / "none.tif")
    with pytest.raises(InputError, match="belongs to a land-cover file"):
        tiles.add(scene, legend="nlcd")
    assert not (tmp_path / "store").exists()


def test_a_plan_made_once_does_what_its_settings_do(tmp_path: Path, scene: Path) -> None:
    cover = raster(tmp_path / "cover.tif", np.repeat(np.array([[[1, 2]]], np.uint8), 64, 1).repeat(48, 2))
    (tmp_path / "legend.csv").write_text("code,label\n1,forest\n2,water\n")
    settings: dict[str, Any] = {"landcover": cover, "legend": tmp_path / "legend.csv", "size": SIZE, "bands": "3,2,1"}
    one, other = geocmer.open(tmp_path / "one"), geocmer.open(tmp_path / "other")
    one.add(scene, embed=False, **settings)
    other.add(scene, embed=False, plan=IngestPlan.of(**settings))
    assert one.info()["categories"] == other.info()["categories"] == {"forest": 4, "water": 2}
    assert one.store.scenes()[0].bands == (3, 2, 1)
    with pytest.raises(InputError, match="a plan and size were given"):
        other.add(scene, plan=IngestPlan.of(), size=SIZE)


def test_removing_counts_the_tiles_of_each_scene(tmp_path: Path, scene: Path) -> None:
    tiles = geocmer.open(tmp_path / "store")
    other = raster(tmp_path / "other.tif", noise(3, 64, 64, seed=1))
    tiles.add(scene, size=SIZE, embed=False)
    tiles.add(other, size=SIZE, embed=False)
    with pytest.raises(StoreError, match="no such scene"):
        tiles.remove(str(other), "no such scene.tif")
    assert len(tiles) == 10, "nothing is removed if one of the names is wrong"
    assert list(tiles.remove(str(other)).values()) == [4]
    assert [Path(row.uri).name for row in tiles.store.scenes()] == ["scene.tif"]
    assert len(tiles) == 6
    assert scene.is_file()
    assert other.is_file()


def test_the_doctor_finds_and_fixes(tmp_path: Path, scene: Path) -> None:
    tiles = geocmer.open(tmp_path / "store")
    tiles.add(scene, size=SIZE, embed=False)
    assert {finding.kind for finding in tiles.doctor().findings} <= {"unembedded"}
    scene.rename(tmp_path / "moved.tif")
    report = tiles.doctor(fix=True)
    assert not report.sound
    assert any("scene.tif" in finding.example for finding in report.findings)
    with pytest.raises(StoreError):
        geocmer.open(tmp_path / "no store").doctor(fix=True)
