"""Captions with their scene category: every text is one of the templates', and chance comes from the seed alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocmer.errors import InputError
from geocmer.models.prompts import augment, category_words, load_templates, prompt, variants

NAMES = st.text(min_size=1).filter(lambda text: "_" not in text)


def test_the_first_template_is_the_caption_and_every_other_names_the_category() -> None:
    first, *others = load_templates()
    assert first == "{caption}"
    assert others
    assert all("{caption}" in t and "{category}" in t for t in others)


def test_variants_are_written_out() -> None:
    assert variants("two planes", "airport") == (
        "two planes",
        "airport: two planes",
        "a satellite image of airport. two planes",
    )
    assert variants("two planes", None) == ("two planes",)
    assert variants("roofs", "denseresidential")[1] == "dense residential area: roofs"
    assert prompt("storagetanks") == "a satellite image of storage tanks"
    assert category_words("built-up area") == "built-up area"


@given(caption=st.text(), category=st.none() | NAMES, seed=st.integers(0, 2**32), share=st.floats(0, 1))
def test_every_text_is_a_variant_and_chance_is_the_seeds(
    caption: str, category: str | None, seed: int, share: float
) -> None:
    said = augment(caption, category, np.random.default_rng(seed), share)
    assert said in variants(caption, category)
    assert said == augment(caption, category, np.random.default_rng(seed), share)
    assert caption in said


@given(seed=st.integers(0, 2**32))
def test_the_generator_moves_on_alike_whatever_the_label(seed: int) -> None:
    states = set()
    for category, share in [(None, 0.5), ("river", 0.0), ("river", 1.0)]:
        rng = np.random.default_rng(seed)
        augment("water", category, rng, share)
        states.add(rng.random())
    assert len(states) == 1


def test_the_share_is_the_share_and_all_templates_are_used() -> None:
    rng = np.random.default_rng(0)
    said = [augment("x", "river", rng, 0.3) for _ in range(4000)]
    counts = {text: said.count(text) / len(said) for text in variants("x", "river")}
    assert counts["x"] == pytest.approx(0.7, abs=0.03)
    assert all(count == pytest.approx(0.15, abs=0.02) for text, count in counts.items() if text != "x")
    assert {augment("x", "river", rng, 0.0) for _ in range(50)} == {"x"}
    assert "x" not in {augment("x", "river", rng, 1.0) for _ in range(50)}


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_no_probability_is_named(share: float) -> None:
    with pytest.raises(InputError, match=f"label share {share}"):
        augment("x", None, np.random.default_rng(0), share)
