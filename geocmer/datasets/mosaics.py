"""Mosaics of labelled pictures: what a tile shows that covers several times the ground of a training picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..imagery.images import ImageSource, resize_to_square
from .label_captions import mosaic_captions
from .pairs import Pair, PairSet
from .shown_concepts import ABSENT, SHOWN, UNKNOWN

SIDES = (2, 3)
"""Pictures along a side of a mosaic."""

LABELS = (0.45, 0.4, 0.15)
"""Share of the mosaics of one, two and three labels."""

SHOWN_SHARE = 0.2
"""Share of a mosaic from which on it shows what its parts show: one of 2 x 2, two of 3 x 3."""


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
    ground = tuple(side * factor for side, factor in zip(pairs.ground_m, (min(SIDES), max(SIDES)), strict=False))
    return PairSet(f"{pairs.name} mosaics", tuple(drawn), ground)


def shown_mosaics(
    pairs: Sequence[Pair], known: NDArray[np.int8], sets: NDArray[np.intp], count: int, rng: np.random.Generator
) -> tuple[list[Mosaic], NDArray[np.int8], NDArray[np.intp]]:
    """Draw mosaics of pictures of which it is known what they show, each of one set and of one to three kinds.

    Pictures are of one kind if they have the same label or scene; one without either is a kind of its own.

    Args:
        pairs: n pictures.
        known: (n, c) what they show.
        sets: (n,) number of the set that each is of.
        count: mosaics to draw.
        rng: of all chance.

    Returns:
        The mosaics, what they show (count, c), and the sets that they are of, (count,).
    """
    kinds: dict[tuple[int, str], list[int]] = {}
    own = []
    for i, pair in enumerate(pairs):
        name = pair.classes[0] if pair.classes else f"#{i}"
        own.append((int(sets[i]), name))
        kinds.setdefault(own[-1], []).append(i)
    mosaics, shows = [], np.full((count, known.shape[1]), UNKNOWN, np.int8)
    firsts = rng.choice(len(pairs), count)
    for number, first in enumerate(firsts.tolist()):
        side = int(rng.choice(SIDES))
        peers = np.flatnonzero(sets == sets[first])
        few = [first, *rng.choice(peers, int(rng.choice(len(LABELS), p=LABELS))).tolist()]
        pools = [kinds[own[i]] for i in few]
        rest = [int(rng.choice(pools[int(rng.integers(len(pools)))])) for _ in range(side * side - len(few))]
        cells = rng.permutation([*few, *rest])
        mosaics.append(Mosaic(tuple(pairs[i].image for i in cells)))
        parts = known[cells]
        shows[number, (parts == ABSENT).all(axis=0)] = ABSENT
        shows[number, (parts == SHOWN).mean(axis=0) >= SHOWN_SHARE] = SHOWN
    return mosaics, shows, sets[firsts]
