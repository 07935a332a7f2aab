"""A store as a captioned set: pixels as rasterio reads them, categories and captions as stored, splits apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from shapely.geometry.base import BaseGeometry
from tiny import tiny_clip

from geocmer.datasets.store_pairs import tile_pairs
from geocmer.errors import InputError
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.landcover.layer import LandCover
from geocmer.models.adapter_config import read_config
from geocmer.store.store import Store
from geocmer.store.tile_images import TileImage, TileImageReader

SIZE, SIDE = 16, 192  # a grid of 12 x 12 tiles


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scene, land cover of three classes, and a store of both."""
    folder = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "crs": "EPSG:32617", "dtype": "uint8"}
    profile["transform"] = Affine(10, 0, 600_000, 0, -10, 4_000_000)
    with rasterio.open(folder / "scene.tif", "w", count=3, **profile) as file:
        file.write(rng.integers(0, 255, (3, SIDE, SIDE), dtype=np.uint8))
    classes = rng.integers(1, 4, (SIDE // 48, SIDE // 48)).repeat(48, 0).repeat(48, 1).astype(np.uint8)
    classes[:8] = 9  # not in the legend's categories of the rest: a strip of another class
    with rasterio.open(folder / "cover.tif", "w", count=1, **profile) as file:
        file.write(classes, 1)
    (folder / "legend.csv").write_text("code,label\n1,forest\n2,water\n3,cropland\n9,road\n")
    store = Store.open_or_create(folder / "store")
    cover = LandCover.open(folder / "cover.tif", folder / "legend.csv")
    ingest(folder / "scene.tif", store, None, TileOptions(size=SIZE), land_cover=cover)
    return folder


def test_pixels_are_those_of_the_scene_under_its_stretch(place: Path) -> None:
    store = Store.open(place / "store")
    found = tile_pairs(store)
    with rasterio.open(place / "scene.tif") as file:
        raw = file.read().astype(np.float64)
    low, high = np.percentile(raw.reshape(3, -1), (2, 98), axis=1)
    shown = np.clip((raw - low[:, None, None]) / (high - low)[:, None, None] * 255, 0, 255).round().astype(np.uint8)
    for pair in found.pairs.pairs[::7]:
        assert isinstance(pair.image, TileImage)
        row, col = pair.image.row, pair.image.col
        truth = shown[:, row : row + SIZE, col : col + SIZE].transpose(1, 2, 0)
        np.testing.assert_array_equal(pair.image.pixels(SIZE), truth)
        assert pair.image.pixels(40).shape == (40, 40, 3)


def test_every_tile_is_trained_on_validated_on_or_accounted_for(place: Path) -> None:
    store = Store.open(place / "store")
    found = tile_pairs(store, 0.25, 1)
    train, val = found.pairs.split("train"), found.pairs.split("val")
    assert found.summary.startswith(f"{len(train)} training and {len(val)} validation tiles; left out: ")
    assert len(train) + len(val) + int(found.summary.split("left out: ")[1].split()[0]) == store.count() == 144
    rows = {r["id"]: r for b in store.snapshot().scan(["id", "geometry", "category"]) for r in b.to_pylist()}

    def shapes(pairs: Any) -> list[BaseGeometry]:
        return [shapely.from_wkb(rows[p.image.id]["geometry"]) for p in pairs.pairs]

    assert min(a.distance(b) for a in shapes(train) for b in shapes(val)) > 5e-4  # a tile of 160 m is 0.0014 degrees
    for pair in found.pairs.pairs:
        assert pair.scene == rows[pair.image.id]["category"]  # type: ignore[attr-defined]
        assert pair.captions
        assert all(str(pair.scene) in caption for caption in pair.captions)


def test_the_warnings_name_what_is_scarce(place: Path) -> None:
    said = " | ".join(tile_pairs(Store.open(place / "store")).warnings)
    assert "training tiles are few" in said


def test_a_store_without_categories_or_with_too_few_tiles_is_refused(place: Path, tmp_path: Path) -> None:
    plain = Store.open_or_create(tmp_path / "plain")
    ingest(place / "scene.tif", plain, None, TileOptions(size=SIZE))
    with pytest.raises(InputError, match="--landcover"):
        tile_pairs(plain)
    few = Store.open_or_create(tmp_path / "few")
    cover = LandCover.open(place / "cover.tif", place / "legend.csv")
    ingest(place / "scene.tif", few, None, TileOptions(size=96), land_cover=cover)
    with pytest.raises(InputError, match="too few to keep training and validation apart"):
        tile_pairs(few)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "nothing to train on; give either"),
        (["set.json", "--store", "s"], "both set.json and --store s were given"),
        (["--store", "{store}", "--images", "i"], "--images i belongs to an annotation file"),
    ],
)
def test_the_command_wants_exactly_one_source(
    place: Path, args: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geocmer_cli.main import app
    from typer.testing import CliRunner

    monkeypatch.setattr("geocmer.models.backbone.Backbone.load", lambda *_: tiny_clip())
    result = CliRunner().invoke(app, ["train", *(arg.format(store=place / "store") for arg in args)])
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)


def test_the_command_trains_on_tiles_from_end_to_end(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geocmer_cli.main import app
    from typer.testing import CliRunner

    monkeypatch.setattr("geocmer.models.backbone.Backbone.load", lambda *_: tiny_clip())
    settings = tmp_path / "a.toml"
    settings.write_text("epochs = 9\nbatch = 16\nwidth = 16\nheads = 2\nviews = 1\n")
    args = ["--store", str(place / "store"), "--config", str(settings), "--epochs", "2", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["train", *args, "--cache-dir", str(tmp_path / "cache")])
    assert result.exit_code == 0, result.output
    assert {"config.json", "model.safetensors", "metrics.jsonl", "training.png"} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    assert len((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()) == 2  # the option won over the file
    assert "warning: " in result.output
    # tiles of 16 pixels, 10 m each: within 0.1 %, as UTM stretches the ground
    assert read_config(tmp_path / "out").ground_m == pytest.approx((160, 160), rel=2e-3)


def test_a_scene_that_is_gone_or_changed_is_named(place: Path, tmp_path: Path) -> None:
    scene = tmp_path / "scene.tif"
    scene.write_bytes((place / "scene.tif").read_bytes())
    store = Store.open_or_create(tmp_path / "store")
    ingest(scene, store, None, TileOptions(size=SIZE))
    (row,) = store.scenes()
    assert row.grid.size == SIZE
    with TileImageReader(store) as images, pytest.raises(InputError, match="not tiled to its end"):
        images.pixels("0" * 32, 0, 0)
    with rasterio.open(scene, "r+") as file:
        file.write(np.zeros((3, 4, 4), np.uint8), window=((0, 4), (0, 4)))
    with TileImageReader(store) as images, pytest.raises(InputError, match="has changed since it was tiled"):
        images.pixels(row.id, 0, 0)
    scene.unlink()
    with TileImageReader(store) as images, pytest.raises(InputError, match="is gone"):
        images.pixels(row.id, 0, 0)
