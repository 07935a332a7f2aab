"""Mosaics of labelled pictures: what a tile shows that covers several times the ground of a training picture."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..imagery.images import ImageSource, resize_to_square
from .label_captions import mosaic_captions
from .pairs import Pair, PairSet

SIDES = (2, 3)
"""Pictures along a side of a mosaic."""

LABELS = (0.45, 0.4, 0.15)
"""Share of the mosaics of one, two and three labels."""


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Square pictures beside each other, row by row.

    Attributes:
        parts: side x side pictures.
    """

    parts: tuple[ImageSource, ...]

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """See `ImageSource.pixels`."""
        side = round(len(self.parts) ** 0.5)
        cells = [part.pixels(-(-size // side)) for part in self.parts]
        rows = [np.concatenate(cells[i : i + side], axis=1) for i in range(0, len(cells), side)]
        return resize_to_square(np.concatenate(rows, axis=0), size)

    def digest(self) -> bytes:
        """Hash of its parts."""
        return hashlib.blake2b(b"".join(part.digest() for part in self.parts), digest_size=16).digest()


def mosaics(pairs: PairSet, count: int, seed: int = 0) -> PairSet:
    """Draw mosaics of a labelled set's training pictures, captioned with the labels of their parts.

    Args:
        pairs: pictures of one label each count; others are left out.
        count: mosaics to draw; none are where no picture has one label.
        seed: of all chance.
    """
    by_label: dict[str, list[ImageSource]] = {}
    for pair in pairs.split("train").pairs:
        if len(pair.labels) == 1:
            by_label.setdefault(pair.labels[0], []).append(pair.image)
    names = sorted(by_label)
    rng = np.random.default_rng(seed)
    drawn = []
    for number in range(count if names else 0):
        side = int(rng.choice(SIDES))
        kinds = min(1 + int(rng.choice(len(LABELS), p=LABELS)), len(names))
        some = rng.permutation(len(names))[:kinds]
        cells = rng.permutation(np.concatenate([some, rng.choice(some, side * side - kinds)]))
        parts = tuple(by_label[names[i]][int(rng.integers(len(by_label[names[i]])))] for i in cells)
        labels = tuple(names[i] for i in sorted(some, key=lambda i: -int(np.count_nonzero(cells == i))))
        drawn.append(Pair(Mosaic(parts), mosaic_captions(labels, number), "train", labels=labels))
    return PairSet(f"{pairs.name} mosaics", tuple(drawn))
