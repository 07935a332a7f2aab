"""Snow and ice painted on a picture of the ground.

What tells snow from a cloud is kept: its edges are those of the ground, sharp; slopes, trees, rocks and open water
stand out dark; shade on it is blue.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fractal_noise import Plane, fractal_noise, ranks, relief

Image = NDArray[np.floating[Any]]
"""A picture, (side, side, 3) in 0 to 1."""

COVER = {
    "mountain": (0.3, 1.0),
    "forest": (0.25, 0.85),
    "fields": (0.55, 1.0),
    "plain": (0.6, 1.0),
    "water": (0.3, 0.8),
}
"""Share of the ground that snow covers, by kind of ground."""

NOISE = {"mountain": 0.5, "forest": 0.25, "fields": 0.4, "plain": 0.6, "water": 0.2}
"""How far chance decides where snow lies; the rest is the ground's own light and dark."""

BLUE_SHADE = np.array([0.72, 0.84, 1.0])
"""Colour of snow in the shade, against that in the light."""


def paint_snow(ground: Image, kind: str, rng: np.random.Generator) -> Image:
    """Cover a picture with snow.

    Args:
        ground: the picture.
        kind: of the ground, a key of `COVER`.
        rng: of all chance.
    """
    light = ground.mean(axis=2)
    cover = _cover(ground, light, kind, rng)[..., None]
    return _developed(cover * _surface(light, kind, rng) + (1 - cover) * _winter(ground, rng), rng)


def paint_floes(side: int, rng: np.random.Generator) -> Image:
    """Paint sea ice: floes of many sizes, with open or newly frozen water between them."""
    from scipy.spatial import cKDTree

    count = int(np.exp(rng.uniform(np.log(8), np.log(400))))
    centres = rng.uniform(-0.1, 1.1, (count, 2)) * side
    jitter = [side * rng.uniform(0.01, 0.04) * (fractal_noise(side, side / 8, rng, 0.6) - 0.5) * 2 for _ in range(2)]
    at = np.moveaxis(np.mgrid[:side, :side] + np.array(jitter), 0, -1).reshape(-1, 2)
    near, which = cKDTree(centres).query(at, k=2)
    gap = ((near[:, 1] - near[:, 0]) / (side / count**0.5)).reshape(side, side)
    floe = which[:, 0].reshape(side, side)
    closed = rng.random(count) < rng.uniform(0.55, 1.0)
    width = rng.uniform(0.02, 0.25) * (0.5 + fractal_noise(side, side / 3, rng))
    ice = (np.clip((gap - width) / 0.06 + 0.5, 0, 1) * closed[floe])[..., None]
    water = np.array([0.05, 0.09, 0.15]) * rng.uniform(0.4, 2.2) + 0.03 * (
        fractal_noise(side, side, rng)[..., None] - 0.5
    )
    light = rng.uniform(0.7, 0.95) + rng.uniform(0, 0.12) * rng.standard_normal(count)[floe]
    snow = _lit(light + rng.uniform(0, 0.05) * relief(fractal_noise(side, side / 6, rng, 0.7), rng.uniform(0, 7)))
    return _developed(ice * snow + (1 - ice) * water, rng)


def _cover(ground: Image, light: Plane, kind: str, rng: np.random.Generator) -> Plane:
    """Say how much of each pixel is snow, 0 to 1: of the ground its light parts first, of water pictures the water."""
    from scipy.ndimage import gaussian_filter

    side = len(light)
    detail = gaussian_filter(light, side / 240)
    own = ranks(detail)
    if kind == "mountain":  # where it is high, or in the valleys
        own = (own + ranks(rng.choice([-1, 1]) * gaussian_filter(light, side / 12))) / 2
    if kind == "forest":  # between the trees
        own = ranks(detail - gaussian_filter(light, side / 15))
    if kind == "water":  # the ice on it
        own = ranks(gaussian_filter(ground[..., 2] - ground[..., :2].mean(axis=2) - 0.5 * light, side / 120))
    chance = fractal_noise(side, side * rng.uniform(0.12, 0.7), rng, 0.6)
    mixed = ranks(NOISE[kind] * chance + (1 - NOISE[kind]) * own)
    cover = rng.uniform(*COVER[kind])
    edge = rng.uniform(0.06, 0.25) if kind == "forest" else rng.uniform(0.01, 0.06)
    return np.asarray(1 / (1 + np.exp(np.clip((1 - cover - mixed) / edge, -50, 50))))


def _surface(light: Plane, kind: str, rng: np.random.Generator) -> Image:
    """Colour the snow itself: the slopes of the ground, and drifts or hummocks of its own."""
    from scipy.ndimage import gaussian_filter

    side = len(light)
    slopes = light - gaussian_filter(light, side / 10)
    slopes = np.clip(slopes / max(1e-9, float(slopes.std())), -2.5, 2.5)
    drifts = fractal_noise(side, side / rng.uniform(6, 40), rng, rng.uniform(0.4, 0.8), rng.choice([1, 1, 2, 4]))
    if rng.random() < 0.5:
        drifts = drifts.T
    strength = rng.uniform(0.04, 0.16) if kind == "mountain" else rng.uniform(0.01, 0.09)
    own = rng.uniform(0.0, 0.1) ** 1.3 * relief(drifts, rng.uniform(0, 2 * np.pi))
    broad = rng.uniform(0, 0.12) * (fractal_noise(side, side, rng) - 0.5)
    return _lit(rng.uniform(0.7, 0.97) + strength * slopes + own + broad)


def _lit(light: Plane) -> Image:
    """Colour snow by the light on it: white, and blue in the shade."""
    bright = np.clip(light, 0.15, 1)[..., None]
    shade = np.clip((0.8 - bright) / 0.5, 0, 1)
    return np.asarray(bright * (1 - shade + shade * BLUE_SHADE))


def _winter(ground: Image, rng: np.random.Generator) -> Image:
    """Colour the ground that is free of snow: darker than in summer, and with little of its colour."""
    grey = ground.mean(axis=2, keepdims=True)
    colour = grey + rng.uniform(0.1, 0.7) * (ground - grey)
    return np.asarray(colour * rng.uniform(0.35, 0.85) * np.array([0.97, 1.0, 1.05]))


def _developed(image: Image, rng: np.random.Generator) -> Image:
    """Give the image one of the tints and exposures that scenes of snow are stretched to."""
    cold = rng.uniform(0, 0.12)  # violet to blue, as under a low sun
    tint = np.array([1 - cold * rng.uniform(0.3, 1), 1 - cold, 1.0])
    return np.clip(image * tint * rng.uniform(0.85, 1.08), 0, 1)
