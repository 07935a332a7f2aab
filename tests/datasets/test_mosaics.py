"""Mosaics of labelled pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geocmer.datasets.mosaics import Mosaic, mosaics, shown_mosaics
from geocmer.datasets.pairs import Pair, PairSet
from geocmer.datasets.shown_concepts import ABSENT, SHOWN, UNKNOWN

COLOURS = {"Forest": 10, "River": 120, "Highway": 240}


@dataclass(frozen=True, slots=True)
class Plain:
    """A picture of one grey."""

    grey: int

    def pixels(self, size: int) -> NDArray[np.uint8]:
        return np.full((size, size, 3), self.grey, np.uint8)

    def digest(self) -> bytes:
        return bytes([self.grey] * 16)


def labelled(count: int = 4) -> PairSet:
    pairs = [
        Pair(Plain(grey + i), ("x",), "train", labels=(label,)) for label, grey in COLOURS.items() for i in range(count)
    ]
    return PairSet("greys", (*pairs, Pair(Plain(77), ("x",), "val", labels=("Forest",))))


def test_parts_lie_row_by_row() -> None:
    pixels = Mosaic(tuple(Plain(g) for g in (1, 2, 3, 4))).pixels(8)
    assert pixels.shape == (8, 8, 3)
    assert [int(pixels[r, c, 0]) for r in (1, 6) for c in (1, 6)] == [1, 2, 3, 4]


def test_a_size_that_does_not_divide_is_filled() -> None:
    assert Mosaic(tuple(Plain(9) for _ in range(9))).pixels(100).shape == (100, 100, 3)


def test_captions_and_labels_are_of_the_parts() -> None:
    found = mosaics(labelled(), 60)
    assert len(found) == 60
    kinds = set()
    for pair in found.pairs:
        mosaic: Any = pair.image
        greys = [part.grey for part in mosaic.parts]
        shown = {label for label, grey in COLOURS.items() if any(grey <= g < grey + 4 for g in greys)}
        assert set(pair.labels) == shown
        assert pair.split == "train"
        assert 77 not in greys  # a validation picture is in no mosaic
        counts = [sum(COLOURS[label] <= g < COLOURS[label] + 4 for g in greys) for label in pair.labels]
        assert counts == sorted(counts, reverse=True)
        kinds.add((len(greys), len(shown)))
    assert {side for side, _ in kinds} == {4, 9}
    assert {labels for _, labels in kinds} == {1, 2, 3}


def test_they_are_seeded() -> None:
    first, again, other = mosaics(labelled(), 5), mosaics(labelled(), 5), mosaics(labelled(), 5, seed=1)
    assert [p.image.digest() for p in first.pairs] == [p.image.digest() for p in again.pairs]
    assert [p.image.digest() for p in first.pairs] != [p.image.digest() for p in other.pairs]


def test_what_is_known_of_a_mosaic_is_counted_from_its_parts() -> None:
    """Two sets of six greys: even ones show the one concept, the first of each set nobody knows."""
    pairs = [Pair(Plain(g), ("x",), "val", labels=("even" if g % 2 == 0 else "odd",)) for g in range(1, 13)]
    greys = np.arange(1, 13)
    known = np.where(greys % 2 == 0, SHOWN, ABSENT).astype(np.int8)[:, None]
    known[[0, 6]] = UNKNOWN
    sets = np.repeat([0, 1], 6)
    found, shows, of_set = shown_mosaics(pairs, known, sets, 200, np.random.default_rng(0))
    for mosaic, says, number in zip(found, shows[:, 0], of_set, strict=True):
        parts: Any = mosaic.parts
        inside = [part.grey for part in parts]
        assert {sets[g - 1] for g in inside} == {number}
        even = sum(g % 2 == 0 for g in inside)
        if even >= 0.2 * len(inside):
            assert says == SHOWN
        elif even or {1, 7} & set(inside):
            assert says == UNKNOWN
        else:
            assert says == ABSENT
    assert set(shows[:, 0]) == {SHOWN, ABSENT, UNKNOWN}
    alone = [Pair(Plain(g), ("x",), "val") for g in range(4)]
    own, _, _ = shown_mosaics(alone, known[:4], np.zeros(4, int), 20, np.random.default_rng(0))
    assert max(len(set(mosaic.parts)) for mosaic in own) <= 3  # a picture without a label is a kind of its own
