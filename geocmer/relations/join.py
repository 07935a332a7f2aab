"""The join of a relation: calibrated scores and places -> the best related tiles, exactly, without trying all pairs.

The score of a tile a for "A r1 B1 and r2 B2 ..." is a geometric mean,

    score(a) = (p_A(a) * f_1(a) * f_2(a) * ...) ^ (1 / (1 + clauses))

with p the calibrated probabilities (`calibration`), and for a clause

    near, next to, within, north of, ...    f(a) = max over tiles b of p_B(b) * w(a, b)
    in                                      f(a) = sum of p_B(b) * w(a, b) / sum of w(a, b), over tiles b, a among them
    not ...                                 f(a) = 1 - what it is without the "not"

and the weight of a partner d metres away

    w = 2 ^ -(d / HALF)^2 up to REACH * HALF, else 0        or, where the query gives a distance, 1 up to it, else 0
    w = 0 for a direction unless the azimuth from b's centre to a's lies within 45 degrees of it

So a score rises with every p it asks for, falls with every p it forbids, and never rises with a distance. The distance
is that of the footprints (`geodesy.distances`), for `in` the gap between their circles, which is a little less. A tile
may be its own partner: one picture can show both. Not so for a direction, where no tile of the same place
(`places.same`) counts either: nothing lies north of itself, also where two scenes show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..geometry.distance import distances
from ..geometry.geodesy import bearings, centres
from ..geometry.neighbors import NeighborIndex
from ..geometry.overlap import same_place, to_equal_area
from .kinds import Kind
from .parser import Clause

HALF = {Kind.NEXT: 100.0, Kind.NEAR: 1000.0, Kind.IN: 1000.0}
"""Metres at which a partner counts half."""
HALF_DIRECTION = 5000.0
REACH = 3.0
"""Times HALF, where a partner counts 2^-9 and then no more."""
AZIMUTHS = {
    kind: 45.0 * step
    for step, kind in enumerate(
        (
            *(Kind.NORTH, Kind.NORTHEAST, Kind.EAST, Kind.SOUTHEAST),
            *(Kind.SOUTH, Kind.SOUTHWEST, Kind.WEST, Kind.NORTHWEST),
        )
    )
}
SECTOR = 45.0
"""Degrees to either side of a direction: north, east, south and west share the circle, and so do the four between."""
BLOCK = 64
"""Tiles taken up first, few because nothing can be left out yet; each block is twice the one before, ..."""
LARGEST = 8_192
"""... up to this, so that memory stays flat if all are asked for."""

Footprints = Callable[[Rows], NDArray[np.object_]]
Names = Callable[[Rows], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best tiles of a relation, best first.

    Attributes:
        rows: (k,) which tiles.
        scores: (k,) 0..1.
        partners: (k, clauses) the tile that gave each clause its value; -1 for a negated clause.
        seen: tiles whose clauses were worked out; the others cannot be among the best.
    """

    rows: Rows
    scores: Float64s
    partners: Rows
    seen: int


def reach(clause: Clause) -> float:
    """Metres beyond which a partner does not count."""
    return clause.metres if clause.metres is not None else REACH * HALF.get(clause.kind, HALF_DIRECTION)


def weight(clause: Clause, metres: Float64s) -> Float64s:
    """What a partner at a distance counts, 0..1, never rising with it."""
    if clause.metres is not None:
        return (metres <= clause.metres).astype(np.float64)
    half = HALF.get(clause.kind, HALF_DIRECTION)
    return np.where(metres <= REACH * half, 2.0 ** -np.square(metres / half), 0.0)


def in_sector(clause: Clause, azimuths: Float64s) -> NDArray[np.bool_]:
    """Which azimuths, from partner to hit, lie in a clause's direction."""
    turned: NDArray[np.bool_] = (azimuths - AZIMUTHS[clause.kind] + SECTOR) % 360 < 2 * SECTOR
    return turned


def join(
    extents: Float64s,
    footprints: Footprints,
    subject: Float64s,
    clauses: Sequence[tuple[Clause, Float64s]],
    k: int | None,
    wanted: NDArray[np.bool_] | None = None,
    min_score: float = 0.0,
    names: Names = np.asarray,
) -> Ranked:
    """The k tiles with the highest scores above 0; of equal ones, and of equal partners, those whose names come first.

    Tiles are taken up in the order of an upper bound of their score, until the next bound is below the k-th best score.

    Args:
        extents: (n, 4) of the n tiles, unwrapped.
        footprints: outlines of the tiles in these rows.
        subject: (n,) p of the first concept.
        clauses: each with (n,) p of its concept.
        k: how many at most; None for all.
        wanted: (n,) True for tiles that may be hits; any tile may be a partner. None: all.
        min_score: the least score.
        names: of the tiles in these rows, comparable and all different; the row itself, if nothing else is known.
    """
    power = 1 / (1 + len(clauses))
    tops = [np.full(len(subject), p.max(initial=0)) if not c.negated else _best_left(c, p) for c, p in clauses]
    bound = subject * np.prod(tops, axis=0) if tops else subject.copy()
    rows = np.flatnonzero(bound > 0 if wanted is None else wanted & (bound > 0))
    indexes = [NeighborIndex(extents, p) for _, p in clauses]
    best = _Best(k, len(clauses), power, min_score, names)
    best.floor = max(best.floor, _sure(subject, clauses, rows, k))
    rows = rows[bound[rows] >= best.floor * (1 - 1e-9)]  # sorting a million takes longer than all the rest
    rows = rows[np.argsort(-bound[rows], kind="stable")]
    start, size = 0, BLOCK
    while start < len(rows) and bound[rows[start]] >= best.floor * (1 - 1e-9):
        block = rows[start : start + size]
        block = block[bound[block] >= best.floor * (1 - 1e-9)]
        value, partners = bound[block], np.full((len(block), len(clauses)), -1, np.intp)
        exact = subject[block]  # not by way of the bound, whose rounding would set equal tiles apart
        for number, (clause, p) in enumerate(clauses):
            others = value / np.maximum(tops[number][block], 1e-300)
            least = best.floor * (1 - 1e-9) / np.maximum(others, 1e-300)
            tiles = _Tiles(extents, footprints, names, p, indexes[number])
            found, partners[:, number] = _clause(clause, tiles, block, least)
            value, exact = others * found, exact * found
            kept = value > 0
            block, value, exact, partners = block[kept], value[kept], exact[kept], partners[kept]
        best.offer(block, exact, partners)
        start, size = start + size, min(size * 2, LARGEST)
    best.sort()
    return Ranked(best.rows, best.scores, best.partners, min(start, len(rows)))


@dataclass(frozen=True, slots=True)
class _Tiles:
    """What a clause looks at: the tiles' places, their names, and how well they show its concept."""

    extents: Float64s
    footprints: Footprints
    names: Names
    p: Float64s
    index: NeighborIndex


class _Best:
    """The best tiles so far; `floor` is the product of factors that the next one needs at least."""

    def __init__(self, k: int | None, clauses: int, power: float, min_score: float, names: Names) -> None:
        self._k, self._power, self._names = k, power, names
        self._least = self.floor = max(min_score, 0.0) ** (1 / power)
        self.rows, self.scores = np.empty(0, np.intp), np.empty(0)
        self.partners = np.empty((0, clauses), np.intp)

    def offer(self, rows: Rows, values: Float64s, partners: Rows) -> None:
        kept = values >= self._least
        rows, values, partners = rows[kept], values[kept], partners[kept]
        self.rows = np.concatenate([self.rows, rows])
        self.scores = np.concatenate([self.scores, values**self._power])
        self.partners = np.concatenate([self.partners, partners])
        if self._k is not None:
            self.sort()
            if len(self.rows) == self._k:
                self.floor = max(self.floor, float(self.scores[-1]) ** (1 / self._power))

    def sort(self) -> None:
        order = np.argsort(-self.scores, kind="stable")
        equal = np.diff(self.scores[order], prepend=np.nan, append=np.nan) == 0
        at = np.flatnonzero(equal[:-1] | equal[1:])  # names are read where scores are equal, and only there
        order[at] = order[at][np.lexsort((self._names(self.rows[order[at]]), -self.scores[order[at]]))]
        order = order[: self._k]
        self.rows, self.scores, self.partners = self.rows[order], self.scores[order], self.partners[order]


def _best_left(clause: Clause, p: Float64s) -> Float64s:
    """The most that a negated clause can leave of a tile: the tile itself stands at no distance."""
    return np.ones(len(p)) if clause.kind is Kind.IN or clause.kind in AZIMUTHS else 1 - p


def _sure(subject: Float64s, clauses: Sequence[tuple[Clause, Float64s]], rows: Rows, k: int | None) -> float:
    """What the k-th best tile has at least, if every tile were its own partner; 0 where it may not be."""
    alone = all(not c.negated and c.kind is not Kind.IN and c.kind not in AZIMUTHS for c, _ in clauses)
    if not alone or k is None or len(rows) < k:
        return 0.0
    values = subject[rows] * np.prod([p[rows] for _, p in clauses], axis=0)
    return float(np.partition(values, -k)[-k])


def _clause(clause: Clause, tiles: _Tiles, hits: Rows, least: Float64s) -> tuple[Float64s, Rows]:
    """What a clause gives to tiles, and who gave it; 0 where it is less than the `least` that matters."""
    if clause.kind is Kind.IN:
        value, partners = _surroundings(clause, tiles, hits)
    else:
        value, partners = _nearest_best(clause, tiles, hits, least)
    if clause.negated:
        value, partners = 1 - value, np.full(len(hits), -1, np.intp)
    return np.where(value >= least, value, 0), partners


def _surroundings(clause: Clause, tiles: _Tiles, hits: Rows) -> tuple[Float64s, Rows]:
    """The weighted mean of p around tiles, and the tile that adds most to it."""
    above, below, most = np.zeros(len(hits)), np.zeros(len(hits)), np.full(len(hits), -1.0)
    partners = hits.copy()
    for hit, other, gap in tiles.index.pairs(hits, 0.0, reach(clause)):
        w = weight(clause, gap)
        share = w * tiles.p[other]
        above += np.bincount(hit, share, len(hits))
        below += np.bincount(hit, w, len(hits))
        np.maximum.at(most, hit, share)
        leads = np.flatnonzero(share == most[hit])
        if len(leads) > len(np.unique(hit[leads])):
            leads = leads[np.argsort(tiles.names(other[leads]), kind="stable")[::-1]]  # the last one written stays
        partners[hit[leads]] = other[leads]
    return above / np.maximum(below, 1e-300), partners


def _nearest_best(clause: Clause, tiles: _Tiles, hits: Rows, least: Float64s) -> tuple[Float64s, Rows]:
    """The most that a partner gives to tiles, and which one; perhaps too little where that cannot matter.

    Pairs are tried in the order of an upper bound, p times the weight of the gap between the circles, until for every
    tile the next bound is no better than what was found.
    """
    directed, p = clause.kind in AZIMUTHS, tiles.p
    best, partners = (np.zeros(len(hits)), np.full(len(hits), -1)) if directed else (p[hits].copy(), hits.copy())
    # A positive clause needs `least` of f; a negated one is lost as soon as its partner leaves less than that.
    floor, ceiling = (best, 1 - least) if clause.negated else (least, np.full(len(hits), np.inf))
    for pairs in tiles.index.pairs(hits, float(floor.min(initial=np.inf)), reach(clause)):
        hit, other, gap = pairs
        bound = p[other] * weight(clause, gap)
        open_ = (bound > best[hit]) & (bound >= floor[hit]) & (best[hit] <= ceiling[hit])
        hit, other, bound = hit[open_], other[open_], bound[open_]
        if directed:
            here, there = centres(tiles.extents[hits[hit]]), centres(tiles.extents[other])
            open_ = (here != there).any(axis=1) & in_sector(clause, bearings(there, here))
            hit, other, bound = hit[open_], other[open_], bound[open_]
        order = np.lexsort((-bound, hit))
        if ((np.diff(hit[order]) == 0) & (np.diff(bound[order]) == 0)).any():
            order = np.lexsort((tiles.names(other), -bound, hit))
        hit, other, bound = hit[order], other[order], bound[order]
        while len(hit):
            first = np.unique(hit, return_index=True)[1]
            shapes, others = tiles.footprints(hits[hit[first]]), tiles.footprints(other[first])
            metres = distances(shapes, others)
            value = p[other[first]] * weight(clause, metres)
            if directed:
                touching = np.flatnonzero(metres == 0)
                value[touching[same_place(*map(to_equal_area, (shapes[touching], others[touching])))]] = 0
            better = value > best[hit[first]]
            best[hit[first[better]]], partners[hit[first[better]]] = value[better], other[first[better]]
            open_ = (bound > best[hit]) & (best[hit] <= ceiling[hit])
            open_[first] = False
            hit, other, bound = hit[open_], other[open_], bound[open_]
    return best, partners
