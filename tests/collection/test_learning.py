"""Training and measuring through a collection: with the encoder that it was given, on the tiles that it holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from synthetic import DIM, ENCODER, filled, noise, raster, tile
from tiny import tiny_clip

import geocmer
from geocmer.errors import InputError, ModelError
from geocmer.models import trust
from geocmer.models.backbone import Backbone
from geocmer.models.encoder import Encoder
from geocmer.store import Store

NAMES = ("forest", "water", "crops")
SETTINGS: dict[str, Any] = {"epochs": 1, "batch": 16, "width": 16, "heads": 2, "views": 1}


class ClassEncoder:
    """Knows each class word, and the images that are of one colour: an axis of the space for each."""

    fingerprint, dim, scale = ENCODER.fingerprint, DIM, 100.0

    def __init__(self) -> None:
        self.backbone = tiny_clip()

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([np.eye(DIM, dtype=np.float32)[next(i for i, n in enumerate(NAMES) if n in t)] for t in texts])

    def encode_images(self, pixels: np.ndarray) -> np.ndarray:
        return np.eye(DIM, dtype=np.float32)[pixels.mean(axis=(1, 2)).argmax(axis=1)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 144 tiles with land cover of three classes, without vectors."""
    folder = tmp_path_factory.mktemp("place")
    raster(folder / "scene.tif", noise(3, 192, 192))
    classes = np.random.default_rng(0).integers(1, 4, (1, 4, 4)).repeat(48, 1).repeat(48, 2).astype(np.uint8)
    raster(folder / "cover.tif", classes)
    (folder / "legend.csv").write_text("code,label\n1,forest\n2,water\n3,crops\n")
    geocmer.open(folder / "store").add(
        folder / "scene.tif", landcover=folder / "cover.tif", legend=folder / "legend.csv", size=16, embed=False
    )
    return folder


def config_of(adapter: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((adapter / "config.json").read_text())
    return read


def test_training_takes_the_towers_of_the_encoder_that_was_given(place: Path, tmp_path: Path) -> None:
    backbone = tiny_clip(3)
    said: list[str] = []
    tiles = geocmer.open(
        place / "store", encoder=Encoder(backbone, None, "", "ab" * 16, 16), notify=said.append
    )  # fmt: skip
    out = tiles.train(tmp_path / "out", cache_dir=tmp_path / "cache", **SETTINGS)
    assert out == tmp_path / "out"
    assert config_of(out)["fingerprint"] == backbone.fingerprint != tiny_clip(0).fingerprint
    assert any(line.startswith("model tiny on cpu; features take") for line in said)
    assert any("training and" in line and "validation tiles" in line for line in said)
    assert (out / "training.png").is_file()


def test_training_takes_the_towers_of_the_adapter_that_was_given(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []

    def load(spec: str, *_: object) -> Backbone:
        named.append(spec)
        return tiny_clip()

    monkeypatch.setattr("geocmer.models.backbone.Backbone.load", load)
    first = geocmer.open(place / "store", model="some/towers").train(tmp_path / "first", cached=False, **SETTINGS)
    assert named == ["some/towers"]
    renamed = config_of(first) | {"backbone": "other/towers"}
    (first / "config.json").write_text(json.dumps(renamed))
    tiles = geocmer.open(place / "store", adapter=first)
    with pytest.raises(ModelError, match="not used here before"):
        tiles.train(tmp_path / "second", cached=False, **SETTINGS)
    trust.remember("other/towers")
    tiles.train(tmp_path / "second", cached=False, **SETTINGS)
    assert named == ["some/towers", "other/towers"]
    geocmer.open(place / "store").train(tmp_path / "third", cached=False, **SETTINGS)
    assert named[-1] == "bundled"


def test_a_store_alone_names_towers_only_if_they_are_known(tmp_path: Path) -> None:
    rows = [tile(i, west=i, category=NAMES[i % 3], captions=("a forest",)) for i in range(60)]
    store = Store.create(tmp_path / "store")
    store.add_encoder(replace(ENCODER, model="hf-hub:somebody/towers"))
    store.add_tiles(rows, np.eye(DIM, dtype=np.float32)[np.zeros(60, int)])
    with pytest.raises(ModelError, match="not used here before"):
        geocmer.open(store.path).train(tmp_path / "out", **SETTINGS)


def test_an_unknown_setting_is_refused_before_the_model_is_loaded(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="epochs must be 1 to"):
        geocmer.open(place / "store").train(tmp_path / "out", epochs=0)
    with pytest.raises(TypeError, match="epoch"):
        geocmer.open(place / "store").train(tmp_path / "out", epoch=1)


def test_tiles_are_measured_by_their_land_cover(tmp_path: Path) -> None:
    labels = [0] * 30 + [1] * 20 + [2] * 10
    vectors = np.eye(DIM, dtype=np.float32)[labels]
    store = filled(tmp_path / "store", [tile(i, category=NAMES[label]) for i, label in enumerate(labels)], vectors)
    rows = geocmer.open(store.path, encoder=ClassEncoder()).evaluate(seed=1)
    assert [(row["category"], row["tiles"]) for row in rows] == [
        ("forest", 30), ("water", 20), ("crops", 10), ("mean of categories", 60),
    ]  # fmt: skip
    assert all(row["p10"] == row["ap"] == 1 for row in rows)
    assert [row["chance"] for row in rows] == [0.5, 0.333, 0.167, 0.333]


def test_captioned_images_are_measured_with_this_encoder(tmp_path: Path) -> None:
    colours = np.eye(3, dtype=np.uint8) * 255
    images = []
    for i, name in enumerate(NAMES):
        Image.fromarray(np.broadcast_to(colours[i], (32, 32, 3)).copy()).save(tmp_path / f"{name}.png")
        images.append({"filename": f"{name}.png", "split": "test", "sentences": [{"raw": f"a {name}"}]})
    (tmp_path / "set.json").write_text(json.dumps({"images": images}))
    said: list[str] = []
    tiles = geocmer.open(tmp_path / "no store", encoder=ClassEncoder(), notify=said.append)
    rows = tiles.evaluate(tmp_path / "set.json")
    assert [(row["labels"], row["ties"], row["mR"]) for row in rows] == [
        ("none", "random", 100.0),
        ("none", "worst", 100.0),
    ]
    assert said == [f"{tmp_path.name} test: 3 images, 3 captions"]
    shuffled = [tiles.evaluate(tmp_path / "set.json", shuffle=True, seed=seed)[0]["mR"] for seed in range(8)]
    assert min(shuffled) < 100
