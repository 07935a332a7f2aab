"""Which tiles are near which, without trying all pairs: k-d trees of the centres on the unit sphere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .._types import Float64s, Rows
from .extent import block_bounds
from .geodesy import MIN_METRES_PER_RADIAN, Caps, min_distances

MAX_PAIRS = 2_000_000
"""Pairs held at once, about 150 MB."""
COUNT_SAMPLE = 256
"""Hits whose pairs are counted, to estimate how many all have."""
BLOCK_ROWS = 128
"""Consecutive rows that are looked at together first. Rows are stored scene by scene: most blocks are short lines."""
MAX_COARSE_PAIRS = 8_000_000
"""Pairs of a hit and a block up to which that pays; more hits than this are near to most blocks."""


class NeighborIndex:
    """k-d trees of the tiles whose p matters, one for each size: a single wide tile must not widen every search."""

    def __init__(self, extents: Float64s, p: Float64s) -> None:
        """Start without a tree: of a million tiles only those that matter and lie near ever get a circle around them.

        Args:
            extents: (n, 4) unwrapped.
            p: (n,) of the concept.
        """
        self._extents, self._p = extents, p
        self._min_p, self._count = np.inf, 0
        self._near_blocks = np.zeros(-(-len(p) // BLOCK_ROWS), bool)
        self._trees: list[tuple[Rows, Caps, cKDTree]] = []

    def pairs(self, hits: Rows, min_p: float, metres: float) -> Iterator[tuple[Rows, Rows, Float64s]]:
        """Find all pairs of a hit and a tile with p >= min_p that may be so near.

        Yields:
            Positions in `hits`, rows of tiles, the least distances of their circles in metres, (m,) each; all pairs of
            a hit and a tree at once.
        """
        hit_caps = Caps.around(self._extents[hits])
        self._rebuild(min_p, self._blocks_near(len(hits), hit_caps, metres))
        for positions in _by_size(hit_caps):
            widest = float(hit_caps.radii[positions].max())
            for rows, tree_caps, tree in self._trees:
                angle = min(metres / MIN_METRES_PER_RADIAN + widest + float(tree_caps.radii.max()), np.pi) + 1e-9
                chord = 2 * np.sin(min(angle, np.pi) / 2)
                for hit, other, chords in _pairs_within(hit_caps, positions, tree, chord):
                    gap = min_distances(chords, hit_caps.radii[hit] + tree_caps.radii[other])
                    near = gap <= metres
                    yield hit[near], rows[other[near]], gap[near]

    def _blocks_near(self, hits: int, hit_caps: Caps, metres: float) -> NDArray[np.bool_]:
        """Tell which blocks may have a circle so near to a hit's: by latitude, and by circles around the blocks."""
        extents, block_caps, max_radii = self._blocks
        if hits * len(block_caps) > MAX_COARSE_PAIRS:
            return np.ones(len(block_caps), bool)
        max_angle = metres / MIN_METRES_PER_RADIAN + hit_caps.radii.max(initial=0) + max_radii
        wide = extents[:, 2] - extents[:, 0] > 180  # a tile around the pole may be among them
        min_cosine = np.cos(np.minimum(max_angle + np.where(wide, np.pi, block_caps.radii), np.pi)) - 1e-14
        south = np.where(wide, -90, extents[:, 1]) - np.degrees(max_angle) - 1e-9
        north = np.where(wide, 90, extents[:, 3]) + np.degrees(max_angle) + 1e-9
        found = np.zeros(len(block_caps), bool)
        for start in range(0, hits, BLOCK_ROWS):
            lat, xyz = hit_caps.lonlat[start : start + BLOCK_ROWS, 1:], hit_caps.xyz[start : start + BLOCK_ROWS]
            found |= ((lat >= south) & (lat <= north) & (xyz @ block_caps.xyz.T >= min_cosine)).any(axis=0)
        return found

    @cached_property
    def _blocks(self) -> tuple[Float64s, Caps, Float64s]:
        """Extents (blocks, 4), circles around the blocks, and radians that no circle around a tile of them exceeds."""
        extents = block_bounds(self._extents, BLOCK_ROWS)
        sides = self._extents[:, 2:] - self._extents[:, :2]
        widest, highest = np.maximum.reduceat(sides, np.arange(0, len(sides), BLOCK_ROWS)).T
        return extents, Caps.around(extents), np.radians(np.hypot(widest, highest) / 2) + 1e-6

    def _rebuild(self, min_p: float, near_blocks: NDArray[np.bool_]) -> None:
        """Build trees of the rows near by with p >= min_p; those of more rows will do until half of them are idle."""
        probable = self._p >= min_p
        chosen = probable & np.repeat(near_blocks, BLOCK_ROWS)[: len(probable)]
        count = int(chosen.sum())
        if min_p >= self._min_p and not (near_blocks & ~self._near_blocks).any() and 2 * count > self._count:
            return
        if 2 * count > probable.sum():
            near_blocks, count, chosen = np.ones_like(near_blocks), int(probable.sum()), probable
        self._min_p, self._near_blocks, self._count = min_p, near_blocks, count
        rows = np.flatnonzero(chosen)
        caps, self._trees = Caps.around(self._extents[rows]), []
        for positions in _by_size(caps):
            tree_caps = caps.take(positions)
            self._trees.append((rows[positions], tree_caps, cKDTree(tree_caps.xyz, balanced_tree=False)))


def _by_size(caps: Caps) -> Iterator[Rows]:
    """Group circles by the octave of their radius; yields positions."""
    octave = np.floor(np.log2(caps.radii)).astype(np.intp)
    for value in np.unique(octave):
        yield np.flatnonzero(octave == value)


def _pairs_within(caps: Caps, positions: Rows, tree: cKDTree, chord: float) -> Iterator[tuple[Rows, Rows, Float64s]]:
    """Find pairs of some of the circles and a tree's whose centres are no farther apart than a chord; yields chords."""
    if len(positions) > 1:
        sample = positions[:: -(-len(positions) // COUNT_SAMPLE)]
        counted = cKDTree(caps.xyz[sample], leafsize=1).count_neighbors(tree, chord)
        if counted * (len(positions) / len(sample)) > MAX_PAIRS:
            for half in np.array_split(positions, 2):
                yield from _pairs_within(caps, half, tree, chord)
            return
    hit_tree = cKDTree(caps.xyz[positions], leafsize=1)  # far apart: a leaf of several would be near to everything
    found = hit_tree.sparse_distance_matrix(tree, chord, output_type="ndarray")
    yield positions[found["i"]], found["j"], found["v"]
