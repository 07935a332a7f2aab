"""From scenes to a store: what is stored, what is not done twice, and what an interrupt leaves behind."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from looker import look, looker
from PIL import Image
from synthetic import contents, noise, raster

from geocmer.errors import FingerprintError, GeocmerError
from geocmer.imagery.scene import Scene
from geocmer.ingest import writer
from geocmer.ingest.pipeline import check_inputs, ingest
from geocmer.ingest.reembed import reembed
from geocmer.ingest.tile_options import TileOptions
from geocmer.landcover.layer import LandCover
from geocmer.store import lance
from geocmer.store.store import Store

SMALL = TileOptions(size=16)
LABELS = ["water; DROP TABLE tiles", "x' OR '1'='1", 'Wald "Ü" 水']


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    array = noise(3, 64, 80)
    array[:, :16, :32] = 0  # two tiles of nothing
    return raster(tmp_path / "scene, 'quoted'; Ü.tif", array, nodata=0)


@pytest.fixture
def cover(tmp_path: Path) -> LandCover:
    codes = np.repeat(np.array([1, 1, 2, 3, 3], "uint8"), 16)[None].repeat(64, 0)
    legend = tmp_path / "legend.json"
    legend.write_text(json.dumps([{"code": i + 1, "label": label} for i, label in enumerate(LABELS)]))
    return LandCover.open(raster(tmp_path / "cover.tif", codes[None]), legend)


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BATCH_TILES", 4)


def test_a_store_holds_what_was_cut(tmp_path: Path, scene: Path, cover: LandCover) -> None:
    store = Store.create(tmp_path / "store")
    done = ingest(scene, store, looker(), SMALL, land_cover=cover)
    assert (done.added, done.tiling.made, done.tiling.total) == (18, 18, 20)
    rows = contents(store)
    with rasterio.open(scene) as direct, Scene.open(scene) as opened:
        stretch = opened.stretch()
        for row in rows:
            data = direct.read(window=((row["row"], row["row"] + 16), (row["col"], row["col"] + 16)))
            pixels = stretch.apply(data, np.ones((16, 16), bool)).transpose(1, 2, 0)
            assert row[f"vector_{'ab' * 4}"] == pytest.approx(look(pixels[None])[0], abs=1e-3)
            shown = np.asarray(Image.open(io.BytesIO(row["thumbnail"]))).astype(float)
            assert shown.shape == (16, 16, 3)
            assert np.abs(shown.mean() - pixels.mean()) < 5
            label = LABELS[[0, 0, 1, 2, 2][row["col"] // 16]]
            assert row["category"] == label.lower()
            assert dict(zip(row["labels"], row["fractions"], strict=True)) == {label: 1.0}
            assert all(label.lower() in caption for caption in row["captions"])
            assert row["captions"]
            assert row["valid_share"] == 1
    assert store.categories() == {LABELS[0].lower(): 6, LABELS[2].lower(): 8, LABELS[1].lower(): 4}
    (record,) = store.scenes()
    assert record.uri == str(scene)
    assert Store.open(tmp_path / "store").scene(record.id) == record


def test_tiles_of_far_less_ground_than_the_model_knows_are_said(tmp_path: Path, scene: Path) -> None:
    store = Store.create(tmp_path / "store")
    assert not any("model knows" in line for line in ingest(scene, store, None, SMALL).lines())
    done = ingest(scene, Store.create(tmp_path / "other"), looker(ground_m=(640.0, 4800.0)), SMALL)
    assert "a tile covers 160 m, and the model knows 640 m to 4.8 km: --size 64 or --gsd 40 would fit" in done.notes


def test_the_same_run_again_adds_nothing_and_computes_nothing(
    tmp_path: Path, scene: Path, cover: LandCover, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, encoder = Store.create(tmp_path / "store"), looker()
    first = ingest(scene, store, encoder, SMALL, land_cover=cover)
    before, version = contents(store), store.snapshot().version
    monkeypatch.setattr(Scene, "stretch", lambda *_: pytest.fail("a stretch was computed"))
    monkeypatch.setattr(LandCover, "fractions", lambda *_: pytest.fail("land cover was read"))
    again = ingest(scene, store, encoder, SMALL, land_cover=cover)
    without = ingest(scene, store, encoder, SMALL)
    assert (again.added, without.added) == (0, 0)
    assert again.tiling == without.tiling == first.tiling
    assert encoder.seen == 18
    assert "nothing to do" in again.lines()[0]
    assert contents(store) == before
    assert store.snapshot().version == version


def test_a_scene_much_smaller_than_a_tile_says_why_nothing_came_of_it(tmp_path: Path, scene: Path) -> None:
    head, *report = ingest(scene, Store.create(tmp_path / "store"), looker(), TileOptions(size=224)).lines()
    assert "no tile" in head
    assert "--size" in head
    assert any("1 dropped: valid share under 0.5" in line for line in report)


def test_an_interrupt_at_any_write_is_mended_by_the_same_run(
    tmp_path: Path, scene: Path, cover: LandCover, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    whole = Store.create(tmp_path / "whole")
    ingest(scene, whole, looker(), SMALL, land_cover=cover)
    expected = contents(whole)
    write, left = lance.upsert, 0

    def failing(*args: Any, **more: Any) -> int:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return write(*args, **more)

    monkeypatch.setattr(lance, "upsert", failing)
    for point in range(1, 20):
        store, left = Store.open_or_create(tmp_path / f"store {point}"), point
        try:
            ingest(scene, store, looker(), SMALL, land_cover=cover)
            break
        except KeyboardInterrupt:
            assert store.scenes() == []
            encoder = looker()
            kept = store.count()
            ingest(scene, store, encoder, SMALL, land_cover=cover)
            assert encoder.seen == 18 - kept, "only what was missing is computed"
            assert contents(store) == expected
            assert len(store.scenes()) == 1
    assert point == 7, "five batches of tiles and the scene itself were interrupted"


def test_another_layer_replaces_the_categories_and_none_leaves_them(
    tmp_path: Path, scene: Path, cover: LandCover
) -> None:
    store, encoder = Store.create(tmp_path / "store"), looker()
    assert ingest(scene, store, encoder, SMALL).notes
    assert store.categories() == {}
    ingest(scene, store, encoder, SMALL, land_cover=cover)
    before = store.categories()
    assert sum(before.values()) == 18
    ingest(scene, store, encoder, SMALL)
    assert store.categories() == before
    other = LandCover.open(cover.path, "nlcd")
    done = ingest(scene, store, encoder, SMALL, land_cover=other)
    assert store.categories() == {f"unknown {code}": n for code, n in ((1, 6), (3, 8), (2, 4))}
    assert any("unknown 2" in note for note in done.notes)
    assert encoder.seen == 18
    assert store.count() == 18


def test_tiles_without_enough_land_cover_are_said(tmp_path: Path, scene: Path) -> None:
    half = raster(tmp_path / "half.tif", np.ones((1, 64, 40), "uint8"))
    legend = tmp_path / "legend.csv"
    legend.write_text("code,label\n1,wood\n")
    store = Store.create(tmp_path / "store")
    done = ingest(scene, store, None, SMALL, land_cover=LandCover.open(half, legend))
    assert store.categories() == {"wood": 10}
    assert any(note.startswith("8 tiles have no category") for note in done.notes)


def test_tiles_stored_without_vectors_get_them_later(tmp_path: Path, scene: Path) -> None:
    direct, later = Store.create(tmp_path / "direct"), Store.create(tmp_path / "later")
    ingest(scene, direct, looker(), SMALL)
    ingest(scene, later, None, SMALL)
    assert later.encoder is None
    assert ingest(scene, later, looker(), SMALL).added == 18
    assert contents(later) == contents(direct)


def test_another_encoder_is_refused_and_a_reembedding_brings_it(tmp_path: Path, scene: Path) -> None:
    store, other = Store.create(tmp_path / "store"), looker("cd" * 16, dim=4)
    ingest(scene, store, looker(), SMALL)
    before = contents(store)
    with pytest.raises(FingerprintError, match="geocmer embed"):
        ingest(scene, store, other, SMALL)
    assert contents(store) == before
    told: list[tuple[int, int]] = []
    assert reembed(store, other, lambda done, total: told.append((done, total))) == 18
    assert told[-1] == (18, 18)
    store.require_encoder(other.fingerprint)
    assert ingest(scene, store, other, SMALL).added == 0


def test_a_scene_that_changed_or_went_is_not_embedded_again(tmp_path: Path, scene: Path) -> None:
    store, other = Store.create(tmp_path / "store"), looker("cd" * 16)
    ingest(scene, store, looker(), SMALL)
    content = scene.read_bytes()
    for change, said in ((lambda: scene.write_bytes(content + b"x"), "has changed"), (scene.unlink, "is gone")):
        change()
        with pytest.raises(GeocmerError, match=said):
            reembed(store, other)
        store.require_encoder("ab" * 16)  # the old vectors still answer


def test_overlapping_scenes_and_strides_share_a_store(tmp_path: Path, scene: Path) -> None:
    store = Store.create(tmp_path / "store")
    ingest(scene, store, None, SMALL)
    finer = ingest(scene, store, None, TileOptions(size=16, stride=8))
    assert store.count() == finer.tiling.made
    assert finer.added == store.count() - 18
    assert len(store.scenes()) == 2


def test_what_cannot_be_used_is_refused_before_anything_is_written(tmp_path: Path, scene: Path) -> None:
    far = raster(tmp_path / "far.tif", np.ones((1, 4, 4), "uint8"), crs="EPSG:32601")
    for path, options, cover in [
        (tmp_path / "missing.tif", SMALL, None),
        (scene, TileOptions(size=16, stride=17), None),
        (scene, TileOptions(gsd=-1.0), None),
        (scene, TileOptions(bands=(1, 2, 9)), None),
        (scene, SMALL, LandCover.open(far, "nlcd")),
    ]:
        with pytest.raises(GeocmerError):
            check_inputs(path, options, cover)
    check_inputs(scene, SMALL)
    nothing = raster(tmp_path / "nothing.tif", np.zeros((3, 20, 20), "uint8"), nodata=0)
    store = Store.create(tmp_path / "store")
    with pytest.raises(GeocmerError, match="no valid pixel"):
        ingest(nothing, store, None, SMALL)
    assert store.count() == 0
    assert store.scenes() == []
