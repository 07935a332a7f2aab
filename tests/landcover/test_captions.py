"""Captions say what the fractions say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geocmer.landcover.captions import tile_captions

SHARES = {"cropland": 0.6, "built-up area": 0.25, "water": 0.12, "forest": 0.03}


def test_the_first_caption_names_what_there_is_and_the_last_the_category_alone() -> None:
    first, *_, last = tile_captions("cropland", SHARES)
    assert first == "a satellite image of cropland with some built-up area near water"
    assert last == "a satellite image of cropland"


def test_two_large_classes_are_joined_and_small_ones_left_out() -> None:
    said = tile_captions("waterfront", {"water": 0.5, "built-up area": 0.48, "sand": 0.02})
    assert said[0] == "a satellite image of waterfront with some water and built-up area"
    assert not any("sand" in text for text in said)


def test_a_pure_tile_and_one_without_a_category() -> None:
    assert set(tile_captions("water", {"water": 1.0})) >= {"a satellite image of water"}
    assert tile_captions(None, {"water": 1.0}) == ()


@given(
    shares=st.dictionaries(st.sampled_from(["water", "forest", "roads", "sand", "ice"]), st.floats(0, 1), min_size=1),
    category=st.sampled_from(["water", "forest", "harbour"]),
    seed=st.integers(0, 2**128),
)
def test_every_caption_names_the_category_and_only_classes_that_are_there(
    shares: dict[str, float], category: str, seed: int
) -> None:
    said = tile_captions(category, shares, seed)
    assert said == tile_captions(category, shares, seed)
    assert 2 <= len(said) == len(set(said)) <= 4
    for text in said:
        assert category in text
        assert all(shares[name] >= 0.05 for name in shares if name in text and name != category)


def test_the_seed_words_them_differently() -> None:
    assert len({tile_captions("cropland", SHARES, seed) for seed in range(20)}) > 5
