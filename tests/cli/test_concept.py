"""`geocmer concept` and `geocmer detect` from end to end, as a new user types them."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from geocmer_cli.main import app
from taught import SIDE, make_store, truth
from typer.testing import CliRunner

from geocmer.errors import GeocmerError


def _run(*args: object) -> str:
    done = CliRunner().invoke(app, [str(arg) for arg in args])
    if isinstance(done.exception, GeocmerError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_concept_from_its_marks_to_a_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    make_store(store)
    monkeypatch.setenv("GEOCMER_STORE", str(store))
    assert _run("concept", "list") == "", "a command without arguments"
    _run("export", "-o", tmp_path / "tiles.geojson")
    document = json.loads((tmp_path / "tiles.geojson").read_text())
    for feature in document["features"][::3]:
        number = feature["properties"]["row"] * SIDE + feature["properties"]["col"]
        feature["properties"]["label"] = "yes" if truth(number) else "no"
    (tmp_path / "labels.geojson").write_text(json.dumps(document))
    out = _run("concept", "make", "thing", "--from", tmp_path / "labels.geojson", "--drawn", 50)
    assert "concept 'thing', version 1" in out
    assert "precision" in out
    assert "95 % intervals (Wilson)" in out
    assert _run("concept", "list").startswith("thing\tversion 1")
    _run("detect", "thing", "-o", tmp_path / "found.gpkg")
    found = geopandas.read_file(tmp_path / "found.gpkg")
    assert found["area_km2"].to_numpy() == pytest.approx(found["area_m2"] / 1e6, abs=1e-3)
    _run("detect", "thing", "-o", tmp_path / "score.tif")
    with rasterio.open(tmp_path / "score.tif") as file:
        assert (file.width, file.height, file.crs.to_epsg()) == (SIDE, SIDE, 4326)
        shown = (file.read(1) >= 0.5).ravel()
    assert (shown == truth(np.arange(SIDE * SIDE))).mean() > 0.9
    _run("concept", "export", "thing", "-o", tmp_path / "thing.json")
    _run("concept", "remove", "thing")
    _run("concept", "import", tmp_path / "thing.json", "--name", "that thing")
    assert "that thing" in _run("concept", "show", "That Thing")
    with pytest.raises(GeocmerError, match="no concept 'thing' in the store; there are: that thing"):
        _run("concept", "show", "thing")
