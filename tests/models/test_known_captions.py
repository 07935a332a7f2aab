"""Short queries with unknown words are drawn to the captions like them, all others stay what they are."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocmer.errors import ModelError
from geocmer.models.adapter_config import read_config
from geocmer.models.encoder import Encoder, captions_of, default_adapter
from geocmer.models.known_captions import CAPTIONS_FILE, STRENGTH, TEMPERATURE, KnownCaptions
from geocmer.models.text_encoder import NumpyTextEncoder


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    x = rng.standard_normal(shape).astype(np.float32)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture
def captions() -> KnownCaptions:
    rng = np.random.default_rng(0)
    return KnownCaptions(unit(rng, 20, 6), unit(rng, 20, 4), np.array([True, True, True, False]))


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.3]))
def test_the_blend_is_the_formula(seed: int, constant: float) -> None:
    rng = np.random.default_rng(seed)
    known = KnownCaptions(unit(rng, 20, 6), unit(rng, 20, 4), np.array([True, False]))
    vector, pooled = unit(rng, 4), 3 * unit(rng, 6)
    joint = np.append(math.sqrt(1 - constant**2) * vector, np.float32(constant)).astype(np.float32)
    weights = np.array(
        [math.exp(float(c @ pooled) / float(np.linalg.norm(pooled)) / TEMPERATURE) for c in known.pooled]
    )
    near = (weights[:, None] / weights.sum() * known.vectors).sum(0)
    mixed = vector + STRENGTH * near / np.linalg.norm(near)
    want = np.append(math.sqrt(1 - constant**2) * mixed / np.linalg.norm(mixed), constant)
    found = known.blend(joint[None], pooled[None], [np.array([0, 1])], ["odd word"])[0]
    np.testing.assert_allclose(found, want, atol=2e-5)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_known_words_and_whole_sentences_stay_as_they_are(captions: KnownCaptions) -> None:
    rng = np.random.default_rng(1)
    vectors, pooled = unit(rng, 4, 4), unit(rng, 4, 6)
    texts = ["all known", "an odd word", "a sentence of six words, odd", "beyond the known"]
    tokens = [np.array([0, 2]), np.array([1, 3]), np.array([1, 3]), np.array([0, 9])]
    found = captions.blend(vectors, pooled, tokens, texts)
    changed = [not np.array_equal(a, b) for a, b in zip(found, vectors, strict=True)]
    assert changed == [False, True, False, True]
    # Nothing is drawn away from the captions' mean by being asked for beside others.
    np.testing.assert_allclose(
        captions.blend(vectors[1:2], pooled[1:2], tokens[1:2], texts[1:2])[0], found[1], atol=1e-6
    )


def test_captions_come_back_from_the_disk(captions: KnownCaptions, tmp_path: Path) -> None:
    assert KnownCaptions.load(tmp_path) is None
    captions.save(tmp_path)
    again = KnownCaptions.load(tmp_path)
    assert again is not None
    np.testing.assert_allclose(again.pooled, captions.pooled, atol=1e-3)
    np.testing.assert_allclose(again.vectors, captions.vectors, atol=1e-3)
    assert again.known[: len(captions.known)].tolist() == captions.known.tolist()
    assert not again.known[len(captions.known) :].any()


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_damaged_captions_are_named(captions: KnownCaptions, tmp_path: Path, damage: str) -> None:
    captions.save(tmp_path)
    if damage == "cut":
        (tmp_path / CAPTIONS_FILE).write_bytes((tmp_path / CAPTIONS_FILE).read_bytes()[:100])
    with pytest.raises(ModelError, match=CAPTIONS_FILE):
        captions_of(tmp_path, read_config(default_adapter()))


def test_both_text_sides_draw_the_same_queries_to_the_same_captions() -> None:
    torch_side, numpy_side = Encoder.load(device="cpu"), NumpyTextEncoder(default_adapter())
    texts = ["a lake", "loch", "aerodrome", "conifer stands", "many green trees are around a lake by the loch"]
    found = torch_side.encode_texts(texts)
    np.testing.assert_allclose(numpy_side.encode_texts(texts), found, atol=2e-6)
    plain = Encoder(torch_side.backbone, torch_side.adapter, "", torch_side.fingerprint, torch_side.dim).encode_texts(
        texts
    )
    drawn = np.abs(found - plain).max(1) > 1e-4
    assert drawn.tolist() == [False, True, True, True, False]
    # What the words mean is nearer than before: a loch to a lake, an aerodrome to an airport.
    lake, airport = torch_side.encode_texts(["a lake", "an airport"])
    assert found[1] @ lake > plain[1] @ lake
    assert found[2] @ airport > plain[2] @ airport


def test_tokens_that_either_knows_are_known() -> None:
    one, other = (
        KnownCaptions(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), np.array(known))
        for known in ([True, False], [False, False, True])
    )
    for merged in (one.with_tokens_of(other), other.with_tokens_of(one)):
        assert merged.known.tolist() == [True, False, True]
    assert one.known.tolist() == [True, False]
