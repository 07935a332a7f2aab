"""A store for the doctor, laid out anew for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from synthetic import ENCODER, noise, raster, unit

from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.store import maintenance
from geocmer.store.store import Store


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a store of two scenes of six tiles, embedded, and where it is kept to be laid out again."""
    folder = tmp_path_factory.mktemp("doctor") / "place"
    db = Store.create(folder / "a store; 'x'")
    for number in range(2):
        scene = raster(folder / f"scene {number}.tif", noise(3, 64, 96, seed=number))
        ingest(scene, db, None, TileOptions(size=32))
    db.reembed(ENCODER, lambda keys: unit(len(keys)))
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("readers"))
    return folder, kept


@pytest.fixture
def store(made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two scenes of six tiles, embedded, as if made for this test alone."""
    monkeypatch.setattr(maintenance, "MAX_DELETED_SHARE", 1e9)  # of so few rows, each that is replaced is a large share
    folder, kept = made
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    return Store.open(folder / "a store; 'x'")
