"""Training pictures with snow or clouds painted on them, where no set of such pictures is at hand.

Which white is snow and which is cloud is learnt from the contrast: the same grounds lie under both.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..imagery.images import ImageSource, resize_to_square
from .clouds import paint_clouds
from .label_captions import label_captions, label_key
from .pairs import Pair, PairSet
from .snow import paint_floes, paint_snow

SIDES = (56, 72, 112, 160, 224)
"""Sides that pictures are painted at, pixels: small ones are enlarged afterwards, as small tiles are."""

GROUNDS = {
    "mountain": "mountain", "bareland": "plain", "desert": "plain", "forest": "forest", "annualcrop": "fields",
    "permanentcrop": "fields", "pasture": "fields", "farmland": "fields", "herbaceousvegetation": "plain",
    "meadow": "plain", "grassland": "plain", "river": "water", "lake": "water", "pond": "water", "wetland": "water",
    "sealake": "sea",
}  # fmt: skip
"""Kind of ground of the labels and scenes that snow is painted on."""

SNOWY = {
    "mountain": "snowy mountain", "forest": "snowy forest", "fields": "snowy fields", "plain": "snowfield",
    "water": "frozen water", "sea": "sea ice",
}  # fmt: skip
"""Label that snow gives to each kind of ground, beside "snow"."""

_SEEDS = 1_000_003
"""Seeds of pictures between one seed of a set and the next."""


@dataclass(frozen=True, slots=True)
class WeatherImage:
    """A picture with snow or clouds on it.

    Attributes:
        image: the ground.
        weather: a kind of ground of `SNOWY`, on which snow lies, or "clouds".
        seed: of all chance.
    """

    image: ImageSource
    weather: str
    seed: int

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """See `ImageSource.pixels`."""
        rng = np.random.default_rng([self.seed, *self.image.digest()])
        side = int(rng.choice(SIDES))
        ground = self.image.pixels(side) / 255
        if self.weather == "clouds":
            painted = paint_clouds(ground, rng)
        elif self.weather == "sea":
            painted = paint_floes(side, rng)
        else:
            painted = paint_snow(ground, self.weather, rng)
        return resize_to_square(np.rint(255 * painted).astype(np.uint8), size)

    def digest(self) -> bytes:
        """Hash of the ground and what is painted on it."""
        key = self.image.digest() + f"{self.weather} {self.seed}".encode()
        return hashlib.blake2b(key, digest_size=16).digest()


def snow(pairs: PairSet, count: int, seed: int = 0) -> PairSet:
    """Draw training pictures of open land or water, as often of each kind of ground, with snow and ice painted on them.

    Args:
        pairs: with labels or scenes; pictures of other things are left out.
        count: pictures to draw; none are where no picture has a ground of `GROUNDS`.
        seed: of all chance.
    """
    grounds: dict[str, list[Pair]] = {}
    for pair in pairs.split("train").pairs:
        kinds = [GROUNDS[label_key(label)] for label in pair.classes if label_key(label) in GROUNDS]
        if len(kinds) == 1:
            grounds.setdefault(kinds[0], []).append(pair)
    rng = np.random.default_rng([seed, 1])
    kinds, drawn = sorted(grounds), []
    for number in range(count if kinds else 0):
        kind = kinds[number % len(kinds)]
        pair = grounds[kind][int(rng.integers(len(grounds[kind])))]
        labels = ("snow", SNOWY[kind])
        kept = () if kind in ("water", "sea") else pair.classes  # ice is no longer open water
        image = WeatherImage(pair.image, kind, seed * _SEEDS + number)
        drawn.append(Pair(image, label_captions(labels, number), "train", labels=(*labels, *kept)))
    return PairSet(f"{pairs.name} snow", tuple(drawn), pairs.ground_m)


def clouds(pairs: PairSet, count: int, seed: int = 0) -> PairSet:
    """Draw training pictures of any kind, with clouds painted over them; see `snow`."""
    named = [pair for pair in pairs.split("train").pairs if pair.classes]
    rng = np.random.default_rng([seed, 2])
    drawn = []
    for number in range(count if named else 0):
        pair = named[int(rng.integers(len(named)))]
        labels = ("cloudy", *pair.classes)
        image = WeatherImage(pair.image, "clouds", seed * _SEEDS + number)
        drawn.append(Pair(image, label_captions(labels[:1], number), "train", labels=labels))
    return PairSet(f"{pairs.name} clouds", tuple(drawn), pairs.ground_m)
