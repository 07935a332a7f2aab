"""Sentences about a tile, from its scene category and its land-cover fractions."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from .._files import bundled_file


def captions_of(category: str | None, fractions: Mapping[str, float], seed: int = 0) -> tuple[str, ...]:
    """Captions of a tile, two to four, most specific first and the bare category last: none without a category.

    "a satellite image of cropland with some built-up area near water", and the like.

    Args:
        category: scene category.
        fractions: category -> share of the valid land-cover pixels, 0 to 1.
        seed: of the choice of words; give each tile its own, so that a set of them is worded in many ways.
    """
    if category is None:
        return ()
    form = _form()
    shares = sorted(fractions.items(), key=lambda item: (-item[1], item[0]))
    others = [(name, share) for name, share in shares if name != category and share >= form["mention"]]
    some = [name for name, share in others if share >= form["some"]][:2]
    near = [name for name, share in others if share < form["some"]][:1]
    views, rng = form["views"], np.random.default_rng(seed)
    drawn = [views[i] for i in rng.permutation(len(views))]
    whole = _scene(category, some, near)
    # One mentioned class at a time: a query names one more often than all.
    part = _scene(category, some[-1:], []) if some and near else whole
    return tuple(
        dict.fromkeys(
            view.format(scene=scene)
            for view, scene in [(views[0], whole), (drawn[0], whole), (drawn[1], part), (views[0], category)]
        )
    )


def _scene(category: str, some: list[str], near: list[str]) -> str:
    words = [category, *(["with some", " and ".join(some)] if some else []), *(["near", *near] if near else [])]
    return " ".join(words)


@cache
def _form() -> dict[str, Any]:
    return tomllib.loads(bundled_file("captions.toml").read_text("utf-8"))
