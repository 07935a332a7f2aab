"""A legend is one file: one dropped into the folder is found by name, in the help, in messages and in the output."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from synthetic import noise, raster

from geocmer._files import bundled_file
from geocmer.errors import LandCoverError
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.landcover import bundled_legends
from geocmer.landcover.layer import LandCover
from geocmer.landcover.legend import Legend
from geocmer.store.store import Store


@pytest.fixture
def dummy_legend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of legends with one more file."""
    folder = tmp_path / "legends"
    shutil.copytree(str(bundled_file("legends")), folder)
    classes = [{"code": 5, "label": "Glacier", "category": "ice"}]
    (folder / "dummy_cryosphere.json").write_text(json.dumps({"classes": classes}))
    monkeypatch.setattr(bundled_legends, "legend_folder", lambda: folder)
    return "dummy_cryosphere"


def test_a_dropped_file_is_a_legend_by_name(tmp_path: Path, dummy_legend: str) -> None:
    assert dummy_legend in bundled_legends.legend_names()
    scene = raster(tmp_path / "scene.tif", noise(3, 32, 32))
    layer = raster(tmp_path / "layer.tif", np.full((1, 32, 32), 5, "uint8"))
    store = Store.create(tmp_path / "store")
    ingest(scene, store, None, TileOptions(size=32), land_cover=LandCover.open(layer, dummy_legend))
    assert store.categories() == {"ice": 1}
    with pytest.raises(LandCoverError, match=dummy_legend):
        Legend.load("no such legend")


def test_a_dropped_file_is_in_the_help(dummy_legend: str) -> None:
    import geocmer_cli.tile
    from geocmer_cli.commands import load

    try:
        importlib.reload(geocmer_cli.tile)
        (option,) = (p for p in load("tile").params if p.name == "legend")
        assert dummy_legend in option.help
        assert "esa_worldcover" in option.help
    finally:
        importlib.reload(geocmer_cli.tile)
