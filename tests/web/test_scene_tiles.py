"""Map tiles of scenes that several threads read."""

from __future__ import annotations

from pathlib import Path

import pytest
from geocmer_cli.web import scene_tiles
from geocmer_cli.web.workspace import Workspace

import geocmer


def test_a_scene_stays_open_for_whoever_is_about_to_read_it(web_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_tiles, "OPEN_SCENES", 1)
    tiles = scene_tiles.SceneTiles(Workspace(lambda notify: geocmer.Collection(web_store, notify=notify)))
    first, second = (row.id for row in geocmer.open(web_store).store.scenes())
    about_to_read = tiles._opened(first)
    tiles.read(second, "degrees", 0, 0, 0)
    assert tiles._open.get(first) is None
    valid = about_to_read.scene.read_warped(str(about_to_read.scene.crs), about_to_read.scene.transform, (8, 8))[1]
    assert valid.shape == (8, 8)
