"""Scene labels in words: captions rewritten with their scene category, for training and for the label modes.

The idea, scene label augmentation, is from arXiv 2501.10638; templates, share and use at query time are ours.
"""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import numpy as np

from .._files import bundled_file
from ..errors import InputError


def load_templates() -> tuple[str, ...]:
    """The templates that ship with geocmer; the first is the caption alone."""
    return tuple(_data()["templates"])


def spoken(category: str) -> str:
    """A category as words: `denseresidential` is "dense residential area", a name that is words stays as it is."""
    words: dict[str, str] = _data()["words"]
    return words.get(category, category.replace("_", " "))


def prompt(category: str) -> str:
    """A bare category as a caption, to be compared with queries and pictures."""
    return str(_data()["prompt"]).format(category=spoken(category))


def augment(caption: str, category: str | None, rng: np.random.Generator, share: float) -> str:
    """A caption, rewritten by a random template with its category in a share of the calls.

    The generator moves on by the same two draws whatever the arguments: the chance of one pair never depends on
    another's label.

    Args:
        caption: as annotated.
        category: scene category; None leaves the caption as it is.
        rng: of the choice.
        share: probability of rewriting, 0 to 1.

    Raises:
        InputError: `share` is not a probability.
    """
    if not 0 <= share <= 1:
        raise InputError(f"label share {share} is not a probability; give 0 to 1")
    texts = variants(caption, category)
    rewrite, which = rng.random() < share, rng.random()
    if not rewrite or len(texts) == 1:
        return caption
    return texts[1 + int(which * (len(texts) - 1))]


def variants(caption: str, category: str | None) -> tuple[str, ...]:
    """Every text that `augment` may give, the caption itself first."""
    if category is None:
        return (caption,)
    # One pass of `format`: braces in a caption or a category are text, never fields.
    return tuple(template.format(caption=caption, category=spoken(category)) for template in load_templates())


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(bundled_file("labels.toml").read_text("utf-8"))
