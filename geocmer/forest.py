"""Which tiles are near which, without trying all pairs: k-d trees of the centres on the unit sphere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .geodesy import LEAST, Caps, gaps

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

PAIRS = 2_000_000
"""Pairs held at once, about 150 MB."""


class Forest:
    """k-d trees of the tiles whose p matters, one for each size: a single wide tile must not widen every search."""

    def __init__(self, extents: Floats, p: Floats) -> None:
        """Start without a tree: of a million tiles only those with a p that matters ever get a circle around them.

        Args:
            extents: (n, 4) unwrapped.
            p: (n,) of the concept.
        """
        self._extents, self._p = extents, p
        self._least, self._count = np.inf, 0
        self._trees: list[tuple[Rows, Caps, cKDTree]] = []

    def pairs(self, hits: Rows, least: float, metres: float) -> Iterator[tuple[Rows, Rows, Floats]]:
        """All pairs of a hit and a tile with p >= least that may be so near.

        Yields:
            Positions in `hits`, rows of tiles, the gaps between their circles in metres; all pairs of a hit and a tree
            at once.
        """
        self._grow(least)
        caps = Caps.around(self._extents[hits])
        for mine in _alike(caps):
            widest = float(caps.radii[mine].max())
            for rows, there, tree in self._trees:
                angle = min(metres / LEAST + widest + float(there.radii.max()), np.pi) + 1e-9
                chord = 2 * np.sin(min(angle, np.pi) / 2)
                for hit, other, distance in _near(caps, mine, tree, chord):
                    gap = gaps(distance, caps.radii[hit] + there.radii[other])
                    near = gap <= metres
                    yield hit[near], rows[other[near]], gap[near]

    def _grow(self, least: float) -> None:
        """Trees of the rows with p >= least; those of a lower bound will do until half of them are idle."""
        count = int((self._p >= least).sum())
        if least >= self._least and 2 * count > self._count:
            return
        self._least, self._count = least, count
        rows = np.flatnonzero(self._p >= least)
        caps, self._trees = Caps.around(self._extents[rows]), []
        for alike in _alike(caps):
            chosen = caps.take(alike)
            self._trees.append((rows[alike], chosen, cKDTree(chosen.xyz, balanced_tree=False)))


def _alike(caps: Caps) -> Iterator[Rows]:
    """Positions of circles, those of like size together: within an octave."""
    octave = np.floor(np.log2(caps.radii)).astype(np.intp)
    for value in np.unique(octave):
        yield np.flatnonzero(octave == value)


def _near(caps: Caps, mine: Rows, tree: cKDTree, chord: float) -> Iterator[tuple[Rows, Rows, Floats]]:
    """Pairs of some of the circles and a tree's whose centres are no farther apart than a chord, and how far."""
    seeds = cKDTree(caps.xyz[mine])
    if len(mine) > 1 and seeds.count_neighbors(tree, chord) > PAIRS:
        for half in np.array_split(mine, 2):
            yield from _near(caps, half, tree, chord)
        return
    found = seeds.sparse_distance_matrix(tree, chord, output_type="ndarray")
    yield mine[found["i"]], found["j"], found["v"]
