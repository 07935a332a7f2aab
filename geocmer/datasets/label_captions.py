"""Captions of pictures that have labels only ("AnnualCrop"): seeded templates over phrases for each label.

The idea, that a scene's category is knowledge worth saying, is the scene label augmentation of arXiv 2501.10638; the
phrases and templates are ours. They are worded in many ways, because queries will be.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from .._files import bundled_file

IMAGE_CAPTIONS = 12
"""Captions that an image gets."""


def label_key(label: str) -> str:
    """Reduce a label to what its spellings have in common, its letters and digits: "annualcrop"."""
    return "".join(c for c in label.lower() if c.isalnum())


def class_words(label: str) -> str:
    """Write a label as words: "AnnualCrop" and "annual_crop" are "annual crop"."""
    spaced = "".join(f" {c}" if c.isupper() and i and label[i - 1].islower() else c for i, c in enumerate(label))
    return " ".join(spaced.replace("_", " ").lower().split())


def label_captions(labels: Sequence[str], seed: int, count: int = IMAGE_CAPTIONS) -> tuple[str, ...]:
    """Draw captions of a picture; each speaks of one of its labels.

    Args:
        labels: of the picture, at least one.
        seed: of the choice; give each picture its own.
        count: captions to draw; some may be equal.
    """
    rng = np.random.default_rng(seed)
    return tuple(_caption(labels[int(rng.integers(len(labels)))], rng) for _ in range(count))


def mosaic_captions(labels: Sequence[str], seed: int, count: int = IMAGE_CAPTIONS) -> tuple[str, ...]:
    """Draw captions of a picture put together of several; each names one label alone, or two or three of them.

    Args:
        labels: of the parts, different ones, that with the largest share first.
        seed: of the choice.
        count: captions to draw.
    """
    if len(labels) == 1:
        return label_captions(labels, seed, count)
    rng = np.random.default_rng(seed)
    forms = [_data()["two"], _data()["three"]]
    captions = []
    for _ in range(count):
        names = [_pick(_phrases(label)["short"], rng) for label in labels[:3]]
        named = 2 if len(names) == 2 or rng.random() < 0.4 else 3
        captions.append(_pick(forms[named - 2], rng).format(**dict(zip("abc", names, strict=False))))
    return tuple(captions)


def _caption(label: str, rng: np.random.Generator) -> str:
    phrases = _phrases(label)
    nouns, sentences = phrases["nouns"], phrases["sentences"]
    if rng.random() < len(sentences) / (len(sentences) + len(nouns)):
        return _pick(sentences, rng)
    template = "{x}" if rng.random() < _data()["bare"] else _pick(_data()["templates"], rng)
    return template.format(x=_pick(nouns, rng))


def _pick(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]


def _phrases(label: str) -> dict[str, list[str]]:
    """Return the phrases for a label; one that is not in the file has its own words."""
    known: dict[str, list[str]] = _data()["labels"].get(label_key(label), {})
    nouns = known.get("nouns", [class_words(label)])
    return {"nouns": nouns, "sentences": known.get("sentences", []), "short": known.get("short", nouns[:3])}


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(bundled_file("label_phrases.toml").read_text("utf-8"))
