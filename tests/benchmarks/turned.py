"""Pictures of a set turned and mirrored, as sets of their own: the feature cache keeps what a tower sees of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geocmer.datasets.pairs import PairSet
from geocmer.imagery.images import ImageSource
from geocmer.models.turns import VIEWS, views_of


@dataclass(frozen=True, slots=True)
class TurnedImage:
    """One of the views of a picture, by its place in `turns.views_of`."""

    image: ImageSource
    turn: int

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """See `ImageSource.pixels`."""
        views = views_of(self.image.pixels(size)[None], None, VIEWS[-1])
        pixels = next(view for n, (view, _) in enumerate(views) if n == self.turn)
        return np.ascontiguousarray(pixels[0])

    def digest(self) -> bytes:
        """See `ImageSource.digest`."""
        return hashlib.blake2b(self.image.digest() + bytes([self.turn]), digest_size=16).digest()


def turned(pairs: PairSet, turn: int) -> PairSet:
    """Show each picture of a set under one of its eight views; the first is the picture as it is."""
    if turn == 0:
        return pairs
    return replace(pairs, pairs=tuple(replace(p, image=TurnedImage(p.image, turn)) for p in pairs.pairs))
