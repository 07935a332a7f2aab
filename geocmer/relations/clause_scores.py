"""What one clause gives to tiles, and which partner gave it: the factor f(a) of `join`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..geometry.distance import distances
from ..geometry.geodesy import bearings, centres
from ..geometry.neighbors import NeighborIndex
from ..geometry.overlap import equal_area_extents, nested, same_size, to_equal_area
from .query import Clause
from .relation_topk import TileIds
from .weights import in_sector, max_distance, weight

ALIKE_BOXES = 1.2
"""Tiles whose boxes differ in area by no more are of one size, as far as a mean over a hundred tiles asks."""
Footprints = Callable[[Rows], NDArray[np.object_]]
"""Reads the outlines of the tiles in these rows."""


@dataclass(frozen=True, slots=True)
class ClauseTiles:
    """The tiles that a clause looks at.

    Attributes:
        extents: (n, 4) unwrapped.
        footprints: their outlines.
        ids: decide between equal partners.
        p: (n,) how probably each shows the clause's concept.
        index: finds those near others.
    """

    extents: Float64s
    footprints: Footprints
    ids: TileIds
    p: Float64s
    index: NeighborIndex


def clause_scores(clause: Clause, tiles: ClauseTiles, hits: Rows, minimum: Float64s) -> tuple[Float64s, Rows]:
    """Compute what a clause gives to the tiles in rows `hits`.

    Args:
        clause: a relation.
        tiles: all of them.
        hits: (m,) rows.
        minimum: (m,) the least value that matters.

    Returns:
        (m,) values, 0 where they are less than the minimum, and (m,) rows of the partners, -1 if the clause is negated.
    """
    if clause.kind.averaged:
        value, partners = _weighted_mean(clause, tiles, hits)
    else:
        value, partners = _best_partner(clause, tiles, hits, minimum)
    if clause.negated:
        value, partners = 1 - value, np.full(len(hits), -1, np.intp)
    return np.where(value >= minimum, value, 0), partners


def _weighted_mean(clause: Clause, tiles: ClauseTiles, hits: Rows) -> tuple[Float64s, Rows]:
    """Compute the weighted mean of p around tiles, and the tile that adds most to it."""
    total, weights, largest = np.zeros(len(hits)), np.zeros(len(hits)), np.full(len(hits), -1.0)
    partners = hits.copy()
    for hit, other, gap in tiles.index.pairs(hits, 0.0, max_distance(clause)):
        w = weight(clause, gap)
        w[_nested(tiles, hits[hit], other, gap)] = 0
        share = w * tiles.p[other]
        total += np.bincount(hit, share, len(hits))
        weights += np.bincount(hit, w, len(hits))
        np.maximum.at(largest, hit, share)
        leads = np.flatnonzero(share == largest[hit])
        if len(leads) > len(np.unique(hit[leads])):
            leads = leads[np.argsort(tiles.ids(other[leads]), kind="stable")[::-1]]  # the last one written stays
        partners[hit[leads]] = other[leads]
    return total / np.maximum(weights, 1e-300), partners


def _nested(tiles: ClauseTiles, hits: Rows, others: Rows, gap: Float64s) -> Rows:
    """Find the pairs of which one lies in the other and is of another size; without a look at tiles of one size."""
    close = np.flatnonzero(gap == 0)
    boxes = [equal_area_extents(tiles.extents[rows[close]]) for rows in (hits, others)]
    areas = np.array([np.prod(box[:, 2:] - box[:, :2], axis=1) for box in boxes])
    close = close[areas.max(axis=0) > ALIKE_BOXES * areas.min(axis=0)]
    shapes = [tiles.footprints(rows[close]) for rows in (hits, others)]
    return close[_is_no_partner(shapes[0], shapes[1], directed=False)]


def _is_no_partner(shapes: NDArray[np.object_], others: NDArray[np.object_], directed: bool) -> NDArray[np.bool_]:
    """Tell which pairs of outlines lie in each other and are of two sizes; for a direction, of one size too.

    A tile and the larger one around it show the same things, and what the larger one shows beside them may be anywhere.
    """
    flat, flat_others = to_equal_area(shapes), to_equal_area(others)
    found = np.full(len(shapes), directed) | ~same_size(flat, flat_others)
    found[found] = nested(flat[found], flat_others[found])
    return found


def _best_partner(clause: Clause, tiles: ClauseTiles, hits: Rows, minimum: Float64s) -> tuple[Float64s, Rows]:
    """Compute the most that a partner gives to tiles, and which one; perhaps too little where that cannot matter.

    Pairs are tried in the order of an upper bound, p times the weight of the gap between the circles, until for every
    tile the next bound is no better than what was found.
    """
    directed, p = clause.kind.azimuth is not None, tiles.p
    best, partners = (np.zeros(len(hits)), np.full(len(hits), -1)) if directed else (p[hits].copy(), hits.copy())
    # A positive clause needs `minimum` of f; a negated one is lost as soon as its partner leaves less than that.
    floor, ceiling = (best, 1 - minimum) if clause.negated else (minimum, np.full(len(hits), np.inf))
    for pairs in tiles.index.pairs(hits, float(floor.min(initial=np.inf)), max_distance(clause)):
        hit, other, gap = pairs
        bound = p[other] * weight(clause, gap)
        open_ = (bound > best[hit]) & (bound >= floor[hit]) & (best[hit] <= ceiling[hit])
        hit, other, bound = hit[open_], other[open_], bound[open_]
        if directed:
            hit_centres, other_centres = centres(tiles.extents[hits[hit]]), centres(tiles.extents[other])
            azimuths = bearings(other_centres, hit_centres)
            open_ = (hit_centres != other_centres).any(axis=1) & in_sector(clause, azimuths)
            hit, other, bound = hit[open_], other[open_], bound[open_]
        order = np.lexsort((-bound, hit))
        if ((np.diff(hit[order]) == 0) & (np.diff(bound[order]) == 0)).any():
            order = np.lexsort((tiles.ids(other), -bound, hit))
        hit, other, bound = hit[order], other[order], bound[order]
        while len(hit):
            first = np.unique(hit, return_index=True)[1]
            shapes, others = tiles.footprints(hits[hit[first]]), tiles.footprints(other[first])
            metres = distances(shapes, others)
            value = p[other[first]] * weight(clause, metres)
            touching = np.flatnonzero(metres == 0)
            value[touching[_is_no_partner(shapes[touching], others[touching], directed)]] = 0
            better = value > best[hit[first]]
            best[hit[first[better]]], partners[hit[first[better]]] = value[better], other[first[better]]
            open_ = (bound > best[hit]) & (best[hit] <= ceiling[hit])
            open_[first] = False
            hit, other, bound = hit[open_], other[open_], bound[open_]
    return best, partners
