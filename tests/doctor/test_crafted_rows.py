"""Records of scenes that somebody else wrote: an answer, or one line that names what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest
from looker import looker
from synthetic import noise, raster

import geocmer
from geocmer.errors import GeocmerError, InputError
from geocmer.imagery.scene import Scene
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.store.store import Store
from geocmer.store.tile_images import TileImageReader


@pytest.fixture
def store(tmp_path: Path) -> Path:
    made = Store.create(tmp_path / "store")
    for number in range(2):
        ingest(raster(tmp_path / f"{number}.tif", noise(3, 32, 32, seed=number)), made, looker(), TileOptions(size=16))
    return tmp_path / "store"


def craft(store: Path, **values: Any) -> str:
    """Overwrite columns of the first scene, and give its id."""
    place = str(store / "scenes.lance")
    table = lance.dataset(place).to_table()
    rows = table.to_pylist()
    rows[0] |= values
    lance.write_dataset(pa.Table.from_pylist(rows, schema=table.schema), place, mode="overwrite")
    return str(rows[0]["id"])


def said(use: Callable[[], Any]) -> str:
    """The error of a use, or "": any other than geocmer's own fails the test."""
    try:
        use()
    except GeocmerError as error:
        return str(error)
    return ""


def uses(store: Path, scene: str) -> list[Callable[[], Any]]:
    def pixels() -> Any:
        with TileImageReader(Store.open(store)) as images:
            return images.window(scene, 0, 0)

    return [
        lambda: geocmer.open(store).info(),
        lambda: geocmer.open(store).doctor(),
        lambda: geocmer.open(store).doctor(fix=True),
        lambda: geocmer.open(store).remove("nowhere.tif"),
        pixels,
    ]


@pytest.mark.parametrize("column", ["uri", "crs", "width", "height", "gsd", "created_at", "stretch", "grid", "account"])
def test_a_record_without_a_value_is_one_line(store: Path, column: str) -> None:
    scene = craft(store, **{column: None})
    for use in uses(store, scene):
        assert "\n" not in said(use)


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 9000, "[" * 5000])
def test_a_name_too_long_for_a_file_is_a_scene_that_is_gone(store: Path, name: str) -> None:
    scene = craft(store, uri=f"/{name}")
    assert any(finding.kind == "missing scene" for finding in geocmer.open(store).doctor().findings)
    for use in uses(store, scene):
        assert "\n" not in said(use)
    with pytest.raises(GeocmerError) as caught:
        geocmer.open(store).remove("nowhere.tif")
    assert len(str(caught.value)) < 500
    with pytest.raises(InputError, match="does not exist"):
        Scene.open(f"/{name}")
