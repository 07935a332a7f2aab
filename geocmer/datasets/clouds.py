"""Clouds painted over a picture: soft veils and heaps of fractal noise with their shadows on the ground, and haze."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fractal_noise import Plane, fractal_noise, smoothstep

COVER = (0.35, 1.0)
"""Share of a picture that clouds cover."""


def paint_clouds(ground: NDArray[np.floating[Any]], rng: np.random.Generator) -> NDArray[np.floating[Any]]:
    """Paint clouds over a picture.

    Args:
        ground: (side, side, 3) in 0 to 1.
        rng: of all chance.

    Returns:
        (side, side, 3) in 0 to 1.
    """
    side = len(ground)
    heaps = rng.random() < 0.4  # cumulus: small cells with firm edges; otherwise a soft veil of large ones
    cell = side * (rng.uniform(0.1, 0.35) if heaps else rng.uniform(0.35, 1.2))
    noise = fractal_noise(side, cell, rng, rng.uniform(0.5, 0.7), 1 if heaps else rng.uniform(1, 2.5))
    if rng.random() < 0.5:
        noise = noise.T
    cover = rng.uniform(*COVER)
    softness = rng.uniform(0.25, 0.6) if heaps else rng.uniform(0.4, 1.0)
    opacity = rng.uniform(0.8, 1.0) * smoothstep(noise, 1 - cover - softness / 2, 1 - cover + softness / 2)
    if rng.random() < 0.6:  # the ground in between is veiled as well
        opacity = 1 - (1 - opacity) * (1 - rng.uniform(0, 0.6))
    return _over(_shaded(ground, opacity, rng), opacity, _colour(noise, rng))


def _shaded(ground: NDArray[np.floating[Any]], opacity: Plane, rng: np.random.Generator) -> NDArray[np.floating[Any]]:
    """Darken the ground where the shadow of the clouds falls, some way off them."""
    reach = len(ground) * rng.uniform(0.03, 0.15)
    angle = rng.uniform(0, 2 * np.pi)
    shift = (round(reach * np.sin(angle)), round(reach * np.cos(angle)))
    shadow = np.roll(opacity, shift, axis=(0, 1))
    return ground * (1 - rng.uniform(0.2, 0.6) * shadow[..., None])


def _colour(noise: Plane, rng: np.random.Generator) -> NDArray[np.floating[Any]]:
    """Colour the clouds: near white, greyer where they are thick in themselves, of little structure."""
    billows = fractal_noise(len(noise), len(noise) * rng.uniform(0.2, 0.8), rng, 0.45)
    light = rng.uniform(0.62, 1.0) + rng.uniform(0, 0.2) * (billows - 0.5) + rng.uniform(-0.05, 0.2) * (noise - 0.5)
    return light[..., None] * (1 + rng.uniform(-0.03, 0.03, 3))


def _over(
    ground: NDArray[np.floating[Any]], opacity: Plane, colour: NDArray[np.floating[Any]]
) -> NDArray[np.floating[Any]]:
    return np.clip(ground + opacity[..., None] * (colour - ground), 0, 1)
