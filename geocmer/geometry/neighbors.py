"""Which tiles are near which, without trying all pairs: k-d trees of the centres on the unit sphere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .._types import Float64s, Rows
from .extent import runs
from .geodesy import LEAST, Caps, gaps

PAIRS = 2_000_000
"""Pairs held at once, about 150 MB."""
GAUGE = 256
"""Hits whose pairs are counted, to tell how many all have."""
RUN = 128
"""Neighbouring rows that are looked at together first. Stored rows lie scene by scene, so most runs are short lines."""
GLANCES = 8_000_000
"""Pairs of a hit and a run up to which that pays; more hits than this are near to most runs."""


class Forest:
    """k-d trees of the tiles whose p matters, one for each size: a single wide tile must not widen every search."""

    def __init__(self, extents: Float64s, p: Float64s) -> None:
        """Start without a tree: of a million tiles only those that matter and lie near ever get a circle around them.

        Args:
            extents: (n, 4) unwrapped.
            p: (n,) of the concept.
        """
        self._extents, self._p = extents, p
        self._least, self._count = np.inf, 0
        self._near = np.zeros(-(-len(p) // RUN), bool)
        self._trees: list[tuple[Rows, Caps, cKDTree]] = []

    def pairs(self, hits: Rows, least: float, metres: float) -> Iterator[tuple[Rows, Rows, Float64s]]:
        """All pairs of a hit and a tile with p >= least that may be so near.

        Yields:
            Positions in `hits`, rows of tiles, the gaps between their circles in metres; all pairs of a hit and a tree
            at once.
        """
        caps = Caps.around(self._extents[hits])
        self._grow(least, self._runs(len(hits), caps, metres))
        for mine in _alike(caps):
            widest = float(caps.radii[mine].max())
            for rows, there, tree in self._trees:
                angle = min(metres / LEAST + widest + float(there.radii.max()), np.pi) + 1e-9
                chord = 2 * np.sin(min(angle, np.pi) / 2)
                for hit, other, distance in _near(caps, mine, tree, chord):
                    gap = gaps(distance, caps.radii[hit] + there.radii[other])
                    near = gap <= metres
                    yield hit[near], rows[other[near]], gap[near]

    def _runs(self, hits: int, caps: Caps, metres: float) -> NDArray[np.bool_]:
        """Which runs of rows may have a circle so near to a hit's: by latitude, and by circles around the runs."""
        extents, around, largest = self._bounds
        if hits * len(around) > GLANCES:
            return np.ones(len(around), bool)
        reach = metres / LEAST + caps.radii.max(initial=0) + largest
        wide = extents[:, 2] - extents[:, 0] > 180  # a tile around the pole may be among them
        least = np.cos(np.minimum(reach + np.where(wide, np.pi, around.radii), np.pi)) - 1e-14
        south = np.where(wide, -90, extents[:, 1]) - np.degrees(reach) - 1e-9
        north = np.where(wide, 90, extents[:, 3]) + np.degrees(reach) + 1e-9
        found = np.zeros(len(around), bool)
        for start in range(0, hits, RUN):
            lat, xyz = caps.lonlat[start : start + RUN, 1:], caps.xyz[start : start + RUN]
            found |= ((lat >= south) & (lat <= north) & (xyz @ around.xyz.T >= least)).any(axis=0)
        return found

    @cached_property
    def _bounds(self) -> tuple[Float64s, Caps, Float64s]:
        """Extents (runs, 4) and circles around RUN rows each, and radians that no circle around one tile exceeds."""
        extents = runs(self._extents, RUN)
        sides = self._extents[:, 2:] - self._extents[:, :2]
        widest, highest = np.maximum.reduceat(sides, np.arange(0, len(sides), RUN)).T
        return extents, Caps.around(extents), np.radians(np.hypot(widest, highest) / 2) + 1e-6

    def _grow(self, least: float, near: NDArray[np.bool_]) -> None:
        """Trees of the rows near by with p >= least; those of more rows will do until half of them are idle."""
        every = self._p >= least
        wanted = every & np.repeat(near, RUN)[: len(every)]
        count = int(wanted.sum())
        if least >= self._least and not (near & ~self._near).any() and 2 * count > self._count:
            return
        if 2 * count > every.sum():
            near, count, wanted = np.ones_like(near), int(every.sum()), every
        self._least, self._near, self._count = least, near, count
        rows = np.flatnonzero(wanted)
        caps, self._trees = Caps.around(self._extents[rows]), []
        for alike in _alike(caps):
            chosen = caps.take(alike)
            self._trees.append((rows[alike], chosen, cKDTree(chosen.xyz, balanced_tree=False)))


def _alike(caps: Caps) -> Iterator[Rows]:
    """Positions of circles, those of like size together: within an octave."""
    octave = np.floor(np.log2(caps.radii)).astype(np.intp)
    for value in np.unique(octave):
        yield np.flatnonzero(octave == value)


def _near(caps: Caps, mine: Rows, tree: cKDTree, chord: float) -> Iterator[tuple[Rows, Rows, Float64s]]:
    """Pairs of some of the circles and a tree's whose centres are no farther apart than a chord, and how far."""
    if len(mine) > 1:
        some = mine[:: -(-len(mine) // GAUGE)]
        counted = cKDTree(caps.xyz[some], leafsize=1).count_neighbors(tree, chord)
        if counted * (len(mine) / len(some)) > PAIRS:
            for half in np.array_split(mine, 2):
                yield from _near(caps, half, tree, chord)
            return
    seeds = cKDTree(caps.xyz[mine], leafsize=1)  # far apart, so a leaf of several would be near to everything
    found = seeds.sparse_distance_matrix(tree, chord, output_type="ndarray")
    yield mine[found["i"]], found["j"], found["v"]
