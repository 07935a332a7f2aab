"""Towers take pictures as they come; the bundled ones say what the networks say that they were made of."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from tiny import tiny_clip

from geocmer.errors import ModelError
from geocmer.models.backbone import TAPS, Backbone
from geocmer.models.bundled import Bundled, _efficientnet
from geocmer.models.weights import DEFAULT_TOWER, MAX_TOKENS


def test_strided_pictures_are_taken_as_their_copies_are() -> None:
    towers = tiny_clip()
    pixels = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)
    for seen in (pixels[:, ::-1], np.rot90(pixels, axes=(1, 2)), pixels[::2, 4:, :, ::-1]):
        torch.testing.assert_close(towers.image(seen).pooled, towers.image(seen.copy()).pooled, rtol=0, atol=0)


def test_vectors_do_not_depend_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that says it has bfloat16 computes in float32 like any other; only CUDA computes in bfloat16."""
    towers = tiny_clip()
    pixels = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
    images, texts = towers.image(pixels).pooled, towers.text(["a lake"]).pooled
    capabilities = {"avx512_bf16": True, "amx_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)  # torch 2.8 has none
    with towers.autocast():
        assert not torch.is_autocast_enabled("cpu")
    torch.testing.assert_close(towers.image(pixels).pooled, images, rtol=0, atol=0)
    torch.testing.assert_close(towers.text(["a lake"]).pooled, texts, rtol=0, atol=0)
    asked: dict[str, Any] = {}
    monkeypatch.setattr(torch, "autocast", lambda device, **options: asked.update(device=device, **options))
    towers.device = torch.device("cuda")
    towers.autocast()
    assert asked == {"device": "cuda", "dtype": torch.bfloat16, "enabled": True}


def test_the_bundled_text_tower_is_the_bert_of_its_files() -> None:
    from transformers import AutoTokenizer, BertModel

    towers = Bundled(DEFAULT_TOWER, torch.device("cpu"))
    texts = ["An airport near a river.", "x", "two storage tanks, at the water's edge " * 9, "piste ünter Bäumen"]
    asked = AutoTokenizer.from_pretrained(towers.files.text)(
        texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    )
    tokens = towers.tokenize(texts)
    assert (tokens == asked["input_ids"]).all()
    with torch.inference_mode():
        whole: Any = BertModel.from_pretrained(towers.files.text, add_pooling_layer=False)
        bert = whole.eval()
        layers = bert(**asked, output_hidden_states=True).hidden_states[-2:]
        pooled, taps, words = towers.text(tokens, 2)
    for tap, layer in zip(taps, layers, strict=True):
        torch.testing.assert_close(tap[words], layer[asked["attention_mask"].bool()], rtol=0, atol=2e-5)
    for i, line in enumerate(words):
        torch.testing.assert_close(pooled[i], layers[-1][i][: line.sum()].mean(0), rtol=0, atol=2e-5)


def test_the_bundled_image_tower_is_the_network_of_its_file() -> None:
    """Folding the norms into the convolutions changes the rounding, and nothing else."""
    towers = Bundled(DEFAULT_TOWER, torch.device("cpu"))
    x = torch.rand(2, 3, towers.size, towers.size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    whole = _efficientnet(DEFAULT_TOWER, towers.files.image)
    with torch.inference_mode():
        last, maps = whole.forward_intermediates(x, indices=TAPS)
        pooled, taps = towers.image(x, TAPS)
        head = whole.forward_head(last, pre_logits=True)
        for found, truth in zip((pooled, *taps), (head, *maps), strict=True):
            torch.testing.assert_close(found, truth, rtol=0, atol=1e-4 * float(truth.abs().max()))
        both = towers.trainable_module().eval()
        torch.testing.assert_close(both.encode_image(x), head, rtol=0, atol=1e-5)
        tokens = towers.tokenize(["a lake"])
        torch.testing.assert_close(both.encode_text(tokens), towers.text(tokens, 1)[0], rtol=0, atol=2e-5)


def test_released_towers_are_built_again_when_they_are_used() -> None:
    towers = Bundled(DEFAULT_TOWER, torch.device("cpu"))
    tokens = towers.tokenize(["a lake"])
    with torch.inference_mode():
        before = towers.text(tokens, 1)[0]
        towers.release()
        assert "_bert" not in vars(towers)
        torch.testing.assert_close(towers.text(tokens, 1)[0], before, rtol=0, atol=0)
    unnamed = tiny_clip()
    unnamed.release()  # cannot be loaded again, so it is kept
    assert unnamed.text(["a lake"]).pooled.shape == (1, 16)


def test_words_alone_import_neither_timm_nor_open_clip() -> None:
    code = (
        "import sys; from geocmer.models.encoder import Encoder;"
        "v = Encoder.load(device='cpu').encode_texts(['a lake']);"
        "assert v.shape == (1, 384); print({'timm', 'open_clip', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_another_bundled_tower_is_asked_for_by_name() -> None:
    with pytest.raises(ModelError, match=r"lite9.*lite0, lite1, lite2"):
        Backbone.load("bundled/lite9", "cpu")


def test_a_token_is_masked_where_most_of_its_pixels_are_invalid() -> None:
    """Against counting the pixels under each token of a tap of 4 x 4 tokens on 32 x 32 pixels."""
    towers = tiny_clip()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
    valid = rng.random((2, 32, 32)) < np.linspace(0, 1, 32)  # from nothing on the left to everything on the right
    features = towers.image(pixels, valid)
    assert len(features.image_masks) == len(features.taps)
    for tap, mask in zip(features.taps, features.image_masks, strict=True):
        side = round(tap.shape[1] ** 0.5)
        cells = valid.reshape(2, side, 32 // side, side, 32 // side).sum((2, 4))
        assert mask.shape == tap.shape[:2]
        assert (mask.numpy() == (cells >= (32 // side) ** 2 / 2).reshape(2, -1)).all()
        assert mask.any()
        assert not mask.all()
    assert towers.image(pixels).image_masks == ()
