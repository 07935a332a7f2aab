"""Captions made of labels."""

from __future__ import annotations

import tomllib

import pytest

from geocmer._files import bundled_file
from geocmer.datasets.label_captions import class_words, label_captions, label_key, mosaic_captions

PHRASES = tomllib.loads(bundled_file("label_phrases.toml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("label", "words"),
    [("AnnualCrop", "annual crop"), ("annual_crop", "annual crop"), ("SeaLake", "sea lake"), ("forest", "forest")],
)
def test_a_label_is_said_as_words(label: str, words: str) -> None:
    assert class_words(label) == words


def test_spellings_of_a_label_have_one_key() -> None:
    assert label_key("AnnualCrop") == label_key("annual crop") == label_key("annual_crop") == "annualcrop"


def test_every_caption_holds_a_phrase_of_a_label_of_its_picture() -> None:
    for seed in range(50):
        for caption in label_captions(["River", "forest"], seed):
            said = [
                p
                for key in ("river", "forest")
                for kind in ("nouns", "sentences")
                for p in PHRASES["labels"][key][kind]
            ]
            assert any(phrase in caption for phrase in said), caption


def test_wording_varies_and_is_seeded() -> None:
    assert label_captions(["Forest"], 3) == label_captions(["Forest"], 3)
    assert len({c for seed in range(30) for c in label_captions(["Forest"], seed)}) > 60


def test_some_captions_are_bare_words_as_queries_are() -> None:
    captions = [c for seed in range(200) for c in label_captions(["Forest"], seed)]
    bare = sum(c in PHRASES["labels"]["forest"]["nouns"] for c in captions) / len(captions)
    assert 0.1 < bare < PHRASES["bare"]


def test_an_unknown_label_is_said_in_its_own_words() -> None:
    assert all("radar dome" in c for c in label_captions(["RadarDome"], 0))


def test_a_mosaic_names_two_or_three_of_its_labels() -> None:
    short = {label: PHRASES["labels"][label_key(label)]["short"] for label in ("Forest", "River", "Highway")}
    for caption in mosaic_captions(["Forest", "River", "Highway"], 0, 60):
        named = sum(any(phrase in caption for phrase in phrases) for phrases in short.values())
        assert named >= 2, caption


def test_a_mosaic_of_one_label_is_captioned_as_one() -> None:
    assert mosaic_captions(["Forest"], 5) == label_captions(["Forest"], 5)


def test_every_template_has_its_fields() -> None:
    assert all(t.count("{x}") == 1 for t in PHRASES["templates"])
    assert all("{a}" in t and "{b}" in t and "{c}" not in t for t in PHRASES["two"])
    assert all(field in t for t in PHRASES["three"] for field in ("{a}", "{b}", "{c}"))
