"""Sentences about a tile, from its scene category and its land-cover fractions."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from .._files import bundled_file


def tile_captions(category: str | None, fractions: Mapping[str, float], seed: int = 0) -> tuple[str, ...]:
    """Write two to four captions of a tile, most specific first, the bare category last; none without a category.

    "a satellite image of cropland with some built-up area near water", and the like.

    Args:
        category: scene category.
        fractions: category -> share of the valid land-cover pixels, 0 to 1.
        seed: of the random choice of templates; give each tile its own, so that the wording varies over a set.
    """
    if category is None:
        return ()
    settings = _templates()
    shares = sorted(fractions.items(), key=lambda item: (-item[1], item[0]))
    others = [(name, share) for name, share in shares if name != category and share >= settings["mention"]]
    major = [name for name, share in others if share >= settings["some"]][:2]
    minor = [name for name, share in others if share < settings["some"]][:1]
    views, rng = settings["views"], np.random.default_rng(seed)
    shuffled = [views[i] for i in rng.permutation(len(views))]
    whole = _describe(category, major, minor)
    # One mentioned class at a time: a query names one more often than all.
    part = _describe(category, major[-1:], []) if major and minor else whole
    return tuple(
        dict.fromkeys(
            view.format(scene=scene)
            for view, scene in [(views[0], whole), (shuffled[0], whole), (shuffled[1], part), (views[0], category)]
        )
    )


def _describe(category: str, major: list[str], minor: list[str]) -> str:
    words = [category, *(["with some", " and ".join(major)] if major else []), *(["near", *minor] if minor else [])]
    return " ".join(words)


@cache
def _templates() -> dict[str, Any]:
    return tomllib.loads(bundled_file("captions.toml").read_text("utf-8"))
