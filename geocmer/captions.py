"""Sentences about a tile, from its scene category and its land-cover fractions."""

from __future__ import annotations

from collections.abc import Mapping

_SOME = 0.05
"""Least share of a class that a caption mentions: 5 % of a 224 px tile is a block of 50 x 50 pixels."""


def captions_of(category: str | None, fractions: Mapping[str, float]) -> tuple[str, ...]:
    """Captions of a tile, most specific first: none without a category.

    Args:
        category: scene category.
        fractions: category -> share of the valid land-cover pixels, 0 to 1.
    """
    if category is None:
        return ()
    others = [
        name
        for name, share in sorted(fractions.items(), key=lambda x: (-x[1], x[0]))
        if name != category and share >= _SOME
    ]
    plain = f"a satellite image of {category}"
    if not others:
        return (plain,)
    with_others = f"{plain} with some {others[0]}"
    return (with_others if len(others) == 1 else f"{with_others} and {others[1]}", plain)
