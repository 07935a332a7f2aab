"""The join of a relation: calibrated scores and places -> the best related tiles, exactly, without trying all pairs.

The score of a tile a for "A r1 B1 and r2 B2 ..." is a geometric mean,

    score(a) = (p_A(a) * f_1(a) * f_2(a) * ...) ^ (1 / (1 + clauses))

with p the calibrated probabilities (`search.probability`), w the weights (`weights`), and for a clause

    near, next to, within, north of, ...    f(a) = max over tiles b of p_B(b) * w(a, b)
    in                                      f(a) = sum of p_B(b) * w(a, b) / sum of w(a, b), over tiles b, a among them
    not ...                                 f(a) = 1 - what it is without the "not"

or, where one of the clauses is enough, (p_A(a) * max of f_1(a), f_2(a), ...) ^ (1 / 2). A concept with alternatives
has the largest of their p.

So a score rises with every p it asks for, falls with every p it forbids, and never rises with a distance. The distance
is that of the footprints (`geometry.distances`), for `in` the gap between their circles, which is a little less. A tile
may be its own partner: one picture can show both. Not so for a direction, where no tile of the same place
(`overlap.same_place`) counts either: nothing lies north of itself, also where two scenes show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..geometry.neighbors import NeighborIndex
from .clause_scores import ClauseTiles, Footprints, clause_scores
from .query import Clause
from .relation_topk import RelationTopK, TileIds

_ROUNDING = 1 - 1e-9
"""Bounds are products of other factors than the scores that they are compared with."""
_Clauses: TypeAlias = Sequence[tuple[Clause, Float64s]]


@dataclass(frozen=True, slots=True)
class RankedTiles:
    """The best tiles of a relation, best first.

    Attributes:
        rows: (k,) which tiles.
        scores: (k,) 0..1.
        partners: (k, clauses) the tile that gave each clause its value; -1 for a negated clause, and for those that
            were not needed where one is enough.
        examined: tiles whose clauses were computed; the others cannot be among the best.
    """

    rows: Rows
    scores: Float64s
    partners: Rows
    examined: int


def join(
    extents: Float64s,
    footprints: Footprints,
    subject: Float64s,
    clauses: _Clauses,
    k: int | None,
    hit_mask: NDArray[np.bool_] | None = None,
    min_score: float = 0.0,
    ids: TileIds = np.asarray,
    one_clause: bool = False,
) -> RankedTiles:
    """Find the k tiles with the highest scores above 0; of equal ones, and of equal partners, those with the first ids.

    Tiles are taken up in the order of an upper bound of their score, until the next bound is below the k-th best score.

    Args:
        extents: (n, 4) of the n tiles, unwrapped.
        footprints: outlines of the tiles in these rows.
        subject: (n,) p of the first concept.
        clauses: each with (n,) p of its concept.
        k: how many at most; None for all.
        hit_mask: (n,) True for tiles that may be hits; any tile may be a partner. None: all.
        min_score: the least score.
        ids: of the tiles in these rows; the row itself, if nothing else is known.
        one_clause: one of the clauses is enough, the one that gives most.
    """
    power = 1 / factor_count(len(clauses), one_clause)
    tops = [_upper_bound(clause, p) for clause, p in clauses]
    bound = subject * (np.max if one_clause else np.prod)(tops, axis=0) if tops else subject.copy()
    rows = np.flatnonzero(bound > 0 if hit_mask is None else hit_mask & (bound > 0))
    tiles = [ClauseTiles(extents, footprints, ids, p, NeighborIndex(extents, p)) for _, p in clauses]
    best = RelationTopK(k, len(clauses), power, min_score, ids)
    best.floor = max(best.floor, _kth_lower_bound(subject, clauses, rows, k, one_clause))
    for block in best.blocks(rows, bound, _ROUNDING):
        if one_clause:
            best.push(*_any_clause(block, subject, clauses, tiles, best.floor))
        else:
            best.push(*_every_clause(block, bound, tops, subject, clauses, tiles, best.floor))
    return RankedTiles(best.rows, best.scores, best.partners, best.examined)


def factor_count(clauses: int, one_clause: bool) -> int:
    """Count the factors of which a score is the geometric mean: the tile's own, and those of the clauses that count."""
    return 2 if one_clause else 1 + clauses


def _every_clause(
    block: Rows,
    bound: Float64s,
    tops: Sequence[Float64s],
    subject: Float64s,
    clauses: _Clauses,
    tiles: Sequence[ClauseTiles],
    floor: float,
) -> tuple[Rows, Float64s, Rows]:
    """Multiply what all clauses give to the tiles of a block; those that fall below the floor are left out."""
    value, partners = bound[block], np.full((len(block), len(clauses)), -1, np.intp)
    exact = subject[block]  # not by way of the bound, whose rounding would set equal tiles apart
    for number, (clause, _) in enumerate(clauses):
        others = value / np.maximum(tops[number][block], 1e-300)
        minimum = floor * _ROUNDING / np.maximum(others, 1e-300)
        found, partners[:, number] = clause_scores(clause, tiles[number], block, minimum)
        value, exact = others * found, exact * found
        kept = value > 0
        block, value, exact, partners = block[kept], value[kept], exact[kept], partners[kept]
    return block, exact, partners


def _any_clause(
    block: Rows, subject: Float64s, clauses: _Clauses, tiles: Sequence[ClauseTiles], floor: float
) -> tuple[Rows, Float64s, Rows]:
    """Take the most that a clause gives to each tile of a block; of clauses that give the same, the first."""
    most, partners = np.zeros(len(block)), np.full((len(block), len(clauses)), -1, np.intp)
    minimum = floor * _ROUNDING / np.maximum(subject[block], 1e-300)
    for number, (clause, _) in enumerate(clauses):
        found, others = clause_scores(clause, tiles[number], block, np.maximum(minimum, most))
        better = found > most
        most[better], partners[better] = found[better], -1
        partners[better, number] = others[better]
    kept = most > 0
    return block[kept], subject[block[kept]] * most[kept], partners[kept]


def _may_be_its_own_partner(clause: Clause) -> bool:
    return not clause.kind.averaged and clause.kind.azimuth is None


def _upper_bound(clause: Clause, p: Float64s) -> Float64s:
    """Bound what a clause gives to each tile: a tile that may be its own partner stands at no distance from it."""
    if not clause.negated:
        return np.full(len(p), p.max(initial=0))
    return 1 - p if _may_be_its_own_partner(clause) else np.ones(len(p))


def _kth_lower_bound(subject: Float64s, clauses: _Clauses, rows: Rows, k: int | None, one_clause: bool) -> float:
    """Bound the product of the k-th best tile, as if every tile were its own partner; 0 where it may not be."""
    alone = [p for clause, p in clauses if not clause.negated and _may_be_its_own_partner(clause)]
    if not alone or (len(alone) < len(clauses) and not one_clause) or k is None or len(rows) < k:
        return 0.0
    values = subject[rows] * (np.max if one_clause else np.prod)([p[rows] for p in alone], axis=0)
    return float(np.partition(values, -k)[-k])
