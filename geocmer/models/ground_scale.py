"""How much ground a picture covered in training, and what to say of tiles that cover far less or more."""

from __future__ import annotations

import math

MIN_PIXELS, MAX_PIXELS = 64, 1024
"""Sides of tiles that are advised: fewer pixels show nothing, more are shrunk to nothing by the tower."""


def scale_note(known: tuple[float, ...], gsd: float, size: int) -> str:
    """Say that tiles cover far less or more ground than a model knows, and what would fit; empty where they do not.

    Args:
        known: least and greatest side of the ground in a picture that the model was trained on, metres; empty if that
            is not recorded.
        gsd: metres per pixel.
        size: side of a tile, pixels.
    """
    if not known:
        return ""
    least, most = known
    side = gsd * size
    if least <= side <= most:
        return ""
    fitting = math.ceil(least / gsd) if side < least else math.floor(most / gsd)
    coverage = f"a tile covers {_metres(side)}, and the model knows {_metres(least)} to {_metres(most)}"
    advice = []
    if MIN_PIXELS <= fitting <= MAX_PIXELS:
        advice.append(f"--size {fitting}")
    if side < least:
        advice.append(f"--gsd {_round_up(least / size):g}")
    if not advice:
        return (
            f"{coverage}; at {gsd:g} m a pixel no tile fits: expect poor answers, or use imagery of a finer resolution"
        )
    return f"{coverage}: {' or '.join(advice)} would fit"


def _metres(metres: float) -> str:
    return f"{metres / 1000:.3g} km" if metres >= 1000 else f"{metres:.3g} m"


def _round_up(value: float) -> float:
    """Round up to two significant digits."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(round(value / step, 9)) * step
