"""One stretch for several scenes: against numpy's percentiles over the mosaic of their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from looker import looker
from synthetic import UTM, noise, raster

import geocmer
from geocmer.imagery.address import SceneAddress
from geocmer.imagery.scene_list import find_scenes
from geocmer.imagery.scene_options import SceneOptions
from geocmer.imagery.shared_stretch import shared_stretch
from geocmer.imagery.stretch import StretchRule
from geocmer.ingest.ingest_report import IngestReport


def rule_of(*paths: Path) -> StretchRule | None:
    return shared_stretch([(SceneAddress(str(path)), SceneOptions()) for path in paths])


def ends(rule: StretchRule | None) -> np.ndarray:
    assert rule is not None
    return np.array([rule.low, rule.high])


def test_the_stretch_is_that_of_the_mosaic(tmp_path: Path) -> None:
    dark, bright = noise(3, 60, 50, dtype="uint16"), noise(3, 60, 90, dtype="uint16", seed=1) + np.uint16(700)
    bright[:, :, :20] = 0
    paths = [
        raster(tmp_path / "a.tif", dark),
        raster(tmp_path / "b.tif", bright, UTM @ Affine.translation(50, 0), nodata=0),
    ]
    seen = np.concatenate([dark.reshape(3, -1), bright[:, :, 20:].reshape(3, -1)], axis=1)
    assert ends(rule_of(*paths)) == pytest.approx(np.percentile(seen, (2, 98), axis=1), rel=1e-5)


def test_a_scene_counts_by_its_area_and_in_the_unit_of_the_data(tmp_path: Path) -> None:
    fine, coarse = noise(3, 40, 40), noise(3, 40, 40, seed=1)
    a, b = raster(tmp_path / "a.tif", fine), raster(tmp_path / "b.tif", coarse, UTM @ Affine.scale(2))
    with rasterio.open(b, "r+") as file:
        file.scales, file.offsets = (0.5,) * 3, (40,) * 3
    repeated = coarse.repeat(2, 1).repeat(2, 2) * 0.5 + 40
    seen = np.concatenate([fine.reshape(3, -1), repeated.reshape(3, -1)], axis=1)
    assert ends(rule_of(a, b)) == pytest.approx(np.percentile(seen, (2, 98), axis=1), abs=0.05)


def test_scenes_that_cannot_be_used_have_no_say(tmp_path: Path) -> None:
    good, bad = raster(tmp_path / "a.tif", noise(3, 40, 40)), tmp_path / "b.tif"
    bad.write_bytes(b"nothing")
    blank = raster(tmp_path / "c.tif", np.zeros((3, 40, 40), "uint8"), nodata=0)
    assert np.array_equal(ends(rule_of(bad, good, blank)), ends(rule_of(good)))
    assert rule_of(bad, blank) is None
    flat = rule_of(raster(tmp_path / "d.tif", np.full((3, 4, 4), 9, "uint8")))
    assert np.array_equal(ends(flat), [[9] * 3, [10] * 3])


def test_all_scenes_of_a_call_share_it_and_others_can_join(tmp_path: Path) -> None:
    paths = [raster(tmp_path / "a.tif", noise(3, 48, 48)), raster(tmp_path / "b.tif", noise(3, 48, 48, seed=1) // 3)]
    told: list[str] = []
    tiles = geocmer.open(tmp_path / "store", encoder=looker(), notify=told.append)
    scenes = find_scenes(paths)
    added = [r.added for r in tiles.add_all(scenes, stretch="shared", size=16) if isinstance(r, IngestReport)]
    assert added == [9, 9]
    first, second = (scene.stretch for scene in tiles.store.scenes())
    assert first == second
    (note,) = told
    text = note.rpartition(" ")[2]
    for again in ("shared", text):
        assert [r.added for r in tiles.add_all(scenes, stretch=again, size=16) if isinstance(r, IngestReport)] == [0, 0]
    joined = tiles.add(raster(tmp_path / "c.tif", noise(3, 48, 48, seed=2)), stretch=text, size=16)
    assert joined.added == 9
    assert {scene.stretch for scene in tiles.store.scenes()} == {first}
