"""The views of a picture that training sees: the picture itself, then seeded variations of it.

A variation looks nearer (a part of the picture), or coarser (as of a sensor with larger pixels), or has another
contrast, colour and brightness, as scenes that were stretched in another way have; and it is turned or mirrored, which
changes nothing about an overhead picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_VIEWS = 64
"""Most views of a picture: each takes a place of its own in the feature cache."""

NEARER_SHARE, COARSER_SHARE, STRETCHED_SHARE, GREYER_SHARE = 0.5, 0.3, 0.6, 0.1
"""Share of the variations that each change is made to."""

PART_SIDES = (0.55, 1.0)
"""Side of the part that a nearer view shows, of the picture's."""

COARSE_SIDES = (0.25, 0.8)
"""Side in pixels that a coarser view is reduced to, of the picture's."""


def view(pixels: NDArray[np.uint8], index: int, digest: bytes) -> NDArray[np.uint8]:
    """Make one view of a square picture.

    Args:
        pixels: (side, side, 3).
        index: number of the view; 0 is the picture as it is.
        digest: of the picture's contents, 16 bytes: with the number it decides all chance.

    Returns:
        (side, side, 3).
    """
    if index == 0:
        return pixels
    return vary(pixels, np.random.default_rng([index, int.from_bytes(digest[:8], "big")]))


def vary(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a variation of a square picture (side, side, 3), of the same shape."""
    side = len(pixels)
    image, box = Image.fromarray(pixels), None
    nearer, coarser, stretched, greyer = rng.random(4)
    if nearer < NEARER_SHARE:
        part = side * rng.uniform(*PART_SIDES)
        left, top = rng.uniform(0, side - part, 2)
        box = (left, top, left + part, top + part)
    if coarser < COARSER_SHARE:
        few = round(side * rng.uniform(*COARSE_SIDES))
        image, box = image.resize((few, few), Image.Resampling.BOX, box), None
    resized = image.resize((side, side), Image.Resampling.BICUBIC, box)
    x: NDArray[np.floating[Any]] = np.asarray(resized, np.float32) / 255
    if stretched < STRETCHED_SHARE:
        x = _stretch(x, rng)
    if greyer < GREYER_SHARE:
        grey = x.mean(2, keepdims=True)
        x = grey + rng.uniform(0, 0.7) * (x - grey)
    turn = int(rng.integers(8))
    x = np.rot90(x, turn % 4)
    return np.rint(255 * (x[:, ::-1] if turn >= 4 else x)).astype(np.uint8)


def _stretch(x: NDArray[np.floating[Any]], rng: np.random.Generator) -> NDArray[np.floating[Any]]:
    """Draw the gain of each channel, the limits of the stretch and its gamma; values stay 0 to 1."""
    gain = rng.uniform(0.88, 1.12, 3)
    low, high = rng.uniform(-0.08, 0.1), rng.uniform(0.8, 1.15)
    return np.clip((x * gain - low) / (high - low), 0, 1) ** rng.uniform(0.75, 1.35)
