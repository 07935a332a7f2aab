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

    def __init__(self, caps: Caps, p: Floats) -> None:
        self._caps, self._p = caps, p
        self._least, self._count = np.inf, 0
        self._trees: list[tuple[Rows, float, cKDTree]] = []

    def pairs(self, hits: Rows, least: float, metres: float) -> Iterator[tuple[Rows, Rows, Floats]]:
        """All pairs of a hit and a tile with p >= least that may be so near.

        Yields:
            Positions in `hits`, rows of tiles, the gaps between their circles in metres; all pairs of a hit and a tree
            at once.
        """
        self._grow(least)
        for mine in self._alike(hits):
            widest = float(self._caps.radii[hits[mine]].max())
            for rows, radius, tree in self._trees:
                angle = min(metres / LEAST + widest + radius, np.pi) + 1e-9
                yield from self._near(hits, mine, rows, tree, 2 * np.sin(min(angle, np.pi) / 2), metres)

    def _near(
        self, hits: Rows, mine: Rows, rows: Rows, tree: cKDTree, chord: float, metres: float
    ) -> Iterator[tuple[Rows, Rows, Floats]]:
        seeds = cKDTree(self._caps.xyz[hits[mine]])
        if len(mine) > 1 and seeds.count_neighbors(tree, chord) > PAIRS:
            for half in np.array_split(mine, 2):
                yield from self._near(hits, half, rows, tree, chord, metres)
            return
        found = seeds.sparse_distance_matrix(tree, chord, output_type="ndarray")
        hit, other = mine[found["i"]], rows[found["j"]]
        gap = gaps(found["v"], self._caps.radii[hits[hit]] + self._caps.radii[other])
        near = gap <= metres
        yield hit[near], other[near], gap[near]

    def _grow(self, least: float) -> None:
        """Trees of the rows with p >= least; those of a lower bound will do until half of them are idle."""
        count = int((self._p >= least).sum())
        if least >= self._least and 2 * count > self._count:
            return
        self._least, self._count = least, count
        rows = np.flatnonzero(self._p >= least)
        self._trees = []
        for alike in self._alike(rows):
            chosen = rows[alike]
            tree = cKDTree(self._caps.xyz[chosen], balanced_tree=False)
            self._trees.append((chosen, float(self._caps.radii[chosen].max()), tree))

    def _alike(self, rows: Rows) -> Iterator[Rows]:
        """Positions of rows, those of like size together: within an octave."""
        octave = np.floor(np.log2(self._caps.radii[rows])).astype(np.intp)
        for value in np.unique(octave):
            yield np.flatnonzero(octave == value)
