"""Heat maps: the weights are the focus layers' own, background stays grey, every hit gets its file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from PIL import Image
from tiny import tiny_clip

from geocmer.errors import ModelError
from geocmer.ingest.pipeline import TileOptions, ingest
from geocmer.models.adapter import Adapter
from geocmer.models.adapter_config import AdapterConfig
from geocmer.models.encoder import Encoder
from geocmer.search.heatmap import draw_heatmap, focus_overlay, focus_weights, write_heatmaps
from geocmer.search.vector_search import nearest_tiles
from geocmer.store.store import Store


def _encoder(**shape: object) -> Encoder:
    towers = tiny_clip()
    torch.manual_seed(1)
    adapter = Adapter(AdapterConfig.of(towers, width=16, heads=2, **shape)).eval().requires_grad_(False)
    return Encoder(towers, adapter, "", "ab" * 16, 16)


def test_the_weights_are_the_mean_of_the_heads_and_even_attention_is_1() -> None:
    encoder = _encoder()
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    got = focus_weights(encoder, pixels)
    assert got.shape == (4, 4)
    assert got.mean() == pytest.approx(1)
    assert (got >= 0).all()
    with torch.inference_mode():
        taps = encoder.adapter.focus_maps(encoder.backbone.image(pixels[None]))  # type: ignore[union-attr]
    by_hand = np.zeros(16)
    for tap in taps:
        heads = tap[0].double().numpy()
        by_hand += 16 * heads.sum(0) / heads.sum() / len(taps)
    np.testing.assert_allclose(got.ravel(), by_hand, rtol=1e-5)


def test_towers_without_focus_layers_are_refused() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(ModelError, match="no focus layers"):
        focus_weights(_encoder(tap_channels=()), pixels)
    towers = tiny_clip()
    with pytest.raises(ModelError, match="no focus layers"):
        focus_weights(Encoder(towers, None, "", "ab" * 16, 16), pixels)


def test_background_is_grey_and_the_focus_is_coloured() -> None:
    pixels = np.full((32, 32, 3), (60, 120, 90), np.uint8)
    weights = np.zeros((4, 4))
    weights[0, 0] = 16
    page = np.asarray(Image.open(io.BytesIO(draw_heatmap(pixels, weights, "title")))).astype(int)
    left, right = page[40:488, 16:464], page[40:488, 480:928]
    assert (left == (60, 120, 90)).all()
    assert np.ptp(right[300:, 300:], axis=-1).max() <= 1
    assert np.ptp(right[:40, :40], axis=-1).min() > 60
    assert Image.open(io.BytesIO(draw_heatmap(pixels, np.zeros((4, 4))))).size == (
        944,
        564,
    )  # nothing looked at anywhere


def test_every_hit_has_its_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    transform = Affine(10, 0, 600_000, 0, -10, 4_000_000)
    profile = {"driver": "GTiff", "width": 96, "height": 64, "crs": "EPSG:32617", "dtype": "uint8", "count": 3}
    with rasterio.open(tmp_path / "scene.tif", "w", transform=transform, **profile) as file:
        file.write(rng.integers(0, 255, (3, 64, 96), dtype=np.uint8))
    encoder = _encoder()
    store = Store.open_or_create(tmp_path / "store")
    ingest(tmp_path / "scene.tif", store, encoder, TileOptions(size=32))
    hits = nearest_tiles(store, encoder.encode_texts(["x"])[0], k=3).hits
    written = list(write_heatmaps(encoder, hits, tmp_path / "maps"))
    assert [path.name for path in written] == [f"{hit.rank:03d}-{hit.id[:8]}.png" for hit in hits]
    assert sorted((tmp_path / "maps").iterdir()) == sorted(written)
    assert all(Image.open(path).size == (944, 564) for path in written)


def test_an_overlay_is_clear_where_nothing_was_looked_at() -> None:
    weights = np.zeros((4, 4))
    weights[0, 0], weights[3, 3] = 8, 2
    overlay = focus_overlay(weights, 4)
    assert overlay.shape == (4, 4, 4)
    assert np.array_equal(overlay[..., 3] > 0, weights > 0)
    assert tuple(overlay[0, 0]) == (240, 249, 33, 255), "the strongest is yellow and opaque"
    assert overlay[3, 3, 3] == int(255 * 3 * 2 / 8)
