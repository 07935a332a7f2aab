"""Tile, embed, search and export in one go: with the bundled model, and with a model of the user's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hits import score_of
from synthetic import noise, raster

from geocmer.errors import FingerprintError, ModelError
from geocmer.export import write
from geocmer.geometry.bbox import BBox
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.reembed import reembed
from geocmer.ingest.tile_options import TileOptions
from geocmer.models.encoder import Encoder
from geocmer.models.openclip import OpenClip
from geocmer.search.vector_search import nearest_tiles
from geocmer.store import Filter, Store

NAME = "ViT-S-32-alt"


@pytest.fixture(scope="session")
def own_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CLIP with random weights, in a folder as open_clip reads it."""
    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = open_clip.create_model(NAME)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": open_clip.get_model_config(NAME), "preprocess_cfg": dict(model.visual.preprocess_cfg)}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return f"local-dir:{folder}"


@pytest.fixture(scope="session")
def own(own_model: str) -> Encoder:
    return Encoder.load(own_model, device="cpu")


@pytest.fixture(scope="session")
def bundled(bundled_encoder: Callable[[str, int], Encoder]) -> Encoder:
    return bundled_encoder("cpu", 1)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Six tiles: even ones of one colour each, odd ones of noise."""
    array = noise(3, 128, 192)
    for number, colour in ((0, (20, 40, 90)), (2, (30, 120, 40)), (4, (180, 160, 120))):
        row, col = divmod(number, 3)
        array[:, row * 64 : row * 64 + 64, col * 64 : col * 64 + 64] = np.reshape(colour, (3, 1, 1))
    return raster(tmp_path / "scene.tif", array)


def through(encoder: Encoder, scene: Path, folder: Path) -> Store:
    """The whole way, checked against the encoder used by hand."""
    store = Store.create(folder / "store")
    assert ingest(scene, store, encoder, TileOptions(size=64)).added == 6
    text = encoder.encode_texts(["a lake beside a forest"])[0]
    everything = nearest_tiles(store, text, filter=Filter(BBox(-180, -90, 180, 90)), k=10).hits
    assert len(everything) == 6
    scores = [score_of(hit) for hit in everything]
    assert scores == sorted(scores, reverse=True)
    with_pixels = {(hit.row, hit.col): hit.score for hit in everything}
    from geocmer.imagery.grid import Grid
    from geocmer.imagery.scene import Scene
    from geocmer.imagery.tiling import TileReader

    with Scene.open(scene) as opened:
        tiles = list(TileReader(opened, Grid.over(opened, 64), opened.stretch()))
    expected = encoder.encode_images(np.stack([tile.pixels for tile in tiles])) @ text
    for tile, score in zip(tiles, expected, strict=True):
        assert with_pixels[tile.row, tile.col] == pytest.approx(float(score), abs=3e-3)  # kept in float16
    west, south, east, north = tiles[0].footprint.centroid.buffer(1e-5).bounds  # UTM tiles stand askew in degrees
    (near,) = nearest_tiles(store, text, filter=Filter(BBox(west, south, east, north)), k=10).hits
    assert (near.row, near.col) == (0, 0)
    write(everything, folder / "hits.geojson")
    features = json.loads((folder / "hits.geojson").read_text())["features"]
    assert [feature["properties"]["score"] for feature in features] == pytest.approx(scores, abs=1e-6)
    return store


def test_a_model_of_ones_own_goes_all_the_way(own: Encoder, scene: Path, tmp_path: Path) -> None:
    store = through(own, scene, tmp_path)
    assert store.encoder is not None
    again = Encoder.of_store(store.encoder.model, store.encoder.adapter, "cpu")
    store.require_encoder(again.fingerprint)


def test_a_released_model_is_loaded_again_when_it_is_used(own_model: str) -> None:
    towers = OpenClip.load(own_model, torch.device("cpu"))
    tokens = towers.tokenize(["a lake"])
    with torch.inference_mode():
        before = towers.text(tokens, 1)[0]
        towers.release()
        assert vars(towers)["_frozen"] is None
        torch.testing.assert_close(towers.text(tokens, 1)[0], before, rtol=0, atol=0)


def test_the_bundled_model_goes_all_the_way_and_another_is_refused(
    bundled: Encoder, own: Encoder, scene: Path, tmp_path: Path
) -> None:
    store = through(bundled, scene, tmp_path)
    with pytest.raises(FingerprintError, match="geocmer embed"):
        ingest(scene, store, own, TileOptions(size=64))
    with pytest.raises(FingerprintError, match="geocmer embed"):
        store.require_encoder(own.fingerprint)
    assert reembed(store, own) == 6
    store.require_encoder(own.fingerprint)
    with pytest.raises(FingerprintError):
        store.require_encoder(bundled.fingerprint)


def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    for spec in (f"local-dir:{tmp_path / 'none'}", "no-such-model/x", NAME, "hf-hub:geocmer-tests/no-such-model"):
        with pytest.raises(ModelError) as caught:
            Encoder.load(spec, device="cpu")
        assert "\n" not in str(caught.value)
        assert spec in str(caught.value)
