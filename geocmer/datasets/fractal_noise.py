"""Fractal noise: the rough and smooth shapes of clouds, drifts and the edges of snow."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane: TypeAlias = NDArray[np.floating[Any]]
"""Numbers over a picture, (side, side)."""


_STEPS = 4096
"""Of the numbers that `ranks` tells apart: sorting them all takes ten times as long."""


def fractal_noise(
    side: int, cell: float, rng: np.random.Generator, persistence: float = 0.5, stretch: float = 1.0
) -> Plane:
    """Draw a sum of smooth noises, each with half the cells of the one before, down to cells of two pixels.

    Args:
        side: of the picture, pixels.
        cell: of the first noise, pixels.
        rng: of all chance.
        persistence: amplitude of a noise, of that of the one before.
        stretch: how many times longer than high the cells are.

    Returns:
        (side, side) ranks of the noise, spread evenly over 0 to 1: so many below a threshold as it says.
    """
    total, amplitude = np.zeros((side, side)), 1.0
    while cell >= 2:
        high, wide = side / cell, side / (cell * stretch)  # cells in the picture
        coarse = rng.standard_normal((int(high) + 3, int(wide) + 3)).astype(np.float32)
        top, left = rng.uniform(0, coarse.shape[0] - high), rng.uniform(0, coarse.shape[1] - wide)
        box = (left, top, left + wide, top + high)
        smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC, box)
        total += amplitude * np.asarray(smooth)
        amplitude, cell = amplitude * persistence, cell / 2
    return ranks(total)


def ranks(values: Plane) -> Plane:
    """Replace each number by the share of numbers below it, 0 to 1, to 1 part in 4096; equal ones share theirs."""
    low, high = float(values.min()), float(values.max())
    steps = ((values - low) * (_STEPS / max(1e-12, high - low))).astype(np.intp)
    counts = np.bincount(steps.ravel())
    below = np.cumsum(counts) - counts
    return np.asarray(below[steps] / max(1, values.size - 1))


def relief(heights: Plane, angle: float) -> Plane:
    """Light a surface from the side: slopes towards `angle` (radians) are above 0, of standard deviation 1."""
    down, right = np.gradient(heights)
    lit = right * np.cos(angle) + down * np.sin(angle)
    return np.asarray(lit / max(1e-9, float(lit.std())))


def smoothstep(values: Plane, low: float, high: float) -> Plane:
    """Rise from 0 at `low` to 1 at `high`, without corners."""
    x = np.clip((values - low) / max(1e-9, high - low), 0, 1)
    return np.asarray(x * x * (3 - 2 * x))
