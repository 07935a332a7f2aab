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
    """Read the templates that ship with geocmer; the first is the caption alone."""
    return tuple(_data()["templates"])


def category_words(category: str) -> str:
    """Write out a category name: `denseresidential` becomes "dense residential area", `sea_lake` "sea lake"."""
    return _data()["words"].get(category, category.replace("_", " "))


def prompt(category: str) -> str:
    """Make a caption of a bare category, to be compared with queries and images."""
    return str(_data()["prompt"]).format(category=category_words(category))


def augment(caption: str, category: str | None, rng: np.random.Generator, share: float) -> str:
    """Rewrite a caption by a random template with its category, in a share of the calls.

    Every call takes two draws from the generator, whatever the arguments: the random numbers of one pair never depend
    on another's label.

    Args:
        caption: as annotated.
        category: scene category; None leaves the caption as it is.
        rng: source of the random choice.
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
    """List every text that `augment` may return, the caption itself first."""
    if category is None:
        return (caption,)
    # One pass of `format`: braces in a caption or a category are text, never fields.
    return tuple(template.format(caption=caption, category=category_words(category)) for template in load_templates())


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(bundled_file("labels.toml").read_text("utf-8"))
