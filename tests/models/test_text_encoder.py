"""The text side in numpy against the same side in torch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from geocmer.errors import ModelError
from geocmer.models.adapter import Adapter
from geocmer.models.adapter_config import read_config
from geocmer.models.encoder import Encoder, default_adapter
from geocmer.models.text_encoder import NumpyTextEncoder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(device="cpu")


@pytest.fixture(scope="module")
def words() -> NumpyTextEncoder:
    return NumpyTextEncoder(default_adapter())


@given(st.text(min_size=1, max_size=300).filter(str.strip))
@settings(max_examples=examples(12))
def test_any_text_is_encoded_as_by_the_towers(encoder: Encoder, words: NumpyTextEncoder, text: str) -> None:
    np.testing.assert_allclose(words.encode_texts([text]), encoder.encode_texts([text]), atol=2e-6)


def test_texts_of_all_lengths_are_encoded_as_by_the_towers(encoder: Encoder, words: NumpyTextEncoder) -> None:
    texts = ["a", "an airport near a river", "Überraschung, 北京", "many planes " * 200]
    np.testing.assert_allclose(words.encode_texts(texts), encoder.encode_texts(texts), atol=2e-6)
    assert (words.fingerprint, words.dim) == (encoder.fingerprint, encoder.dim)
    assert words.scale == pytest.approx(encoder.scale, rel=1e-6)
    assert words.encode_texts([]).shape == (0, encoder.dim)
    with pytest.raises(ModelError, match="a query is empty"):
        words.encode_texts(["a", " "])


@pytest.mark.parametrize(
    ("members", "part", "taps", "bias"), [(1, 0, 1, 0), (3, 20, 1, 0), (2, 12, 0, 0), (3, 20, 1, 16), (1, 0, 1, 16)]
)
def test_an_adapter_of_ones_own_is_read(
    encoder: Encoder, tmp_path: Path, members: int, part: int, taps: int, bias: int
) -> None:
    shape = replace(read_config(default_adapter()), dim=24, members=members, branch_dim=part, width=16, heads=2)
    shape = replace(shape, bias_texts=bias)
    torch.manual_seed(members)
    adapter = Adapter(replace(shape, text_tap_channels=shape.text_tap_channels[:taps])).eval()
    for tensor in (*adapter.parameters(), *adapter.buffers()):
        torch.nn.init.normal_(tensor, std=0.3)
    adapter.log_scale.data.fill_(2.5)
    adapter.save(tmp_path)
    own = Encoder.load("bundled", tmp_path, "cpu")
    texts = ["a lake", "rows of parked cars beside a road"]
    found = NumpyTextEncoder.of_store("bundled", str(tmp_path))
    assert found is not None
    np.testing.assert_allclose(found.encode_texts(texts), own.encode_texts(texts), atol=2e-5)


def test_other_towers_are_refused(tmp_path: Path) -> None:
    assert NumpyTextEncoder.of_store("ViT-B-32/openai", "") is None
    config = json.loads((default_adapter() / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "fingerprint": "0" * 32}))
    with pytest.raises(ModelError, match="belongs to other towers"):
        NumpyTextEncoder(tmp_path)


@pytest.mark.parametrize(
    "damage", ["gone", "empty", "cut off", "noise", "list", "latin-1", "heads", "deep", "huge", "nan"]
)
def test_a_damaged_adapter_is_one_line(tmp_path: Path, damage: str) -> None:
    """The search by words reads the folder by itself, so what `Adapter.load` says must be said here too."""
    weights = (default_adapter() / "model.safetensors").read_bytes()
    text = (default_adapter() / "config.json").read_text()
    config = {"list": b"[]", "latin-1": b'{"backbone": "\xe9"}', "deep": b"[" * 100_000}.get(damage, text.encode())
    if damage in ("heads", "huge"):
        change = {"heads": 7} if damage == "heads" else {"width": 10**12}
        config = json.dumps({**json.loads(text), **change}).encode()
    changed = {"empty": b"", "cut off": weights[:100_000], "noise": bytes(range(256)) * 8}.get(damage, weights)
    (tmp_path / "config.json").write_bytes(config)
    if damage == "nan":  # which would rank every tile equally, in silence
        from safetensors.numpy import load, save

        changed = save({name: array * np.nan if array.ndim else array for name, array in load(weights).items()})
    if damage != "gone":
        (tmp_path / "model.safetensors").write_bytes(changed)
    with pytest.raises(ModelError) as caught:
        NumpyTextEncoder(tmp_path).encode_texts(["a lake"])
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_search_by_words_imports_no_torch() -> None:
    code = (
        "import sys; from geocmer.models.text_encoder import NumpyTextEncoder;"
        "v = NumpyTextEncoder.of_store('bundled', '').encode_texts(['a lake']);"
        "import geocmer.search.vector_search, geocmer.search.query_vector, geocmer.search.category_prior;"
        "import geocmer.relations.relation_search; assert v.shape[0] == 1;"
        "print([m for m in ('torch', 'timm', 'open_clip', 'lancedb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
