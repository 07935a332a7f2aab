from __future__ import annotations

import numpy as np
import pytest
import shapely
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from tile_pairs import EXTENTS, ONE, TWO, WORLD, N, pairs

from geocmer.geometry.neighbors import NeighborIndex
from geocmer.geometry.overlap import nested, same_place, same_size, to_equal_area
from geocmer.relations.join import join
from geocmer.relations.kinds import EAST, IN, KINDS, NEAR, NEXT_TO, NORTH, WEST, WITHIN, Kind
from geocmer.relations.query import Clause
from geocmer.relations.relation_topk import FIRST_BLOCK_TILES
from geocmer.relations.weights import in_sector, max_distance, weight
from geocmer.store.schema import extents

BY_NAME = {kind.name: kind for kind in KINDS}
WAYS = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")
AZIMUTHS = {f"{way} of": 45.0 * step for step, way in enumerate(WAYS)}  # said here again, to check the table


def _brute_force(subject: np.ndarray, clauses: list[tuple[Clause, np.ndarray]], one_clause: bool) -> np.ndarray:
    """Scores of all tiles from the matrix of all pairs."""
    every, factors = pairs(), []
    gaps, metres, azimuth, nested = every.gaps, every.metres, every.azimuth, every.nested
    of_other_size = nested & (every.ratio > 1.5)
    for clause, p in clauses:
        if clause.kind is IN:
            w = np.where(gaps <= 3000, 2.0 ** -((gaps / 1000) ** 2), 0) * ~of_other_size
            value = (w * p).sum(axis=1) / w.sum(axis=1)
        else:
            half = {NEAR: 1000, NEXT_TO: 100}.get(clause.kind, 5000)
            w = np.where(3 * half >= metres, 2.0 ** -((metres / half) ** 2), 0)
            if clause.metres is not None:
                w = (clause.metres >= metres).astype(float)
            if clause.kind.name in AZIMUTHS:
                off = np.abs((azimuth - AZIMUTHS[clause.kind.name] + 180) % 360 - 180)
                w = w * ((off < 45) | ((azimuth - AZIMUTHS[clause.kind.name]) % 360 == 315)) * every.separate
                w = w * ~nested  # a place is not north of itself
            w = w * ~of_other_size  # nor is a tile a partner of the larger one around it
            value = (w * p).max(axis=1)
        factors.append(1 - value if clause.negated else value)
    if one_clause:
        return np.sqrt(subject * np.max(factors, axis=0))
    return (subject * np.prod(factors, axis=0)) ** (1 / (1 + len(clauses)))


@st.composite
def clauses(draw: st.DrawFn) -> Clause:
    kind = draw(st.sampled_from(KINDS))
    limit = st.sampled_from([1.0, 500.0, 3000.0, 2e5])
    metres = draw(limit if kind is WITHIN else st.none() | limit if kind.name in AZIMUTHS else st.none())
    return Clause(kind, "b", metres, draw(st.booleans()))


@given(
    st.lists(clauses(), min_size=1, max_size=3),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 5, N, None]),
    st.sampled_from([1, 16, FIRST_BLOCK_TILES]),
    st.sampled_from([0.0, 0.3]),
    st.booleans(),
)
@settings(max_examples=examples(30))
def test_the_join_is_brute_force(
    asked: list[Clause], seed: int, k: int | None, block: int, min_score: float, one_clause: bool
) -> None:
    rng = np.random.default_rng(seed)
    subject = rng.integers(0, 5, N) / 4.0  # so that many tie
    scored = [(clause, np.round(rng.random(N) ** 8, 2)) for clause in asked]
    hit_mask = rng.random(N) < 0.8
    names = rng.permutation(N)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geocmer.relations.relation_topk.FIRST_BLOCK_TILES", block)
        if block == 16:
            patch.setattr("geocmer.geometry.neighbors.MAX_PAIRS", 50)
            patch.setattr("geocmer.geometry.neighbors.BLOCK_ROWS", 3)
        ranked = join(EXTENTS, WORLD.take, subject, scored, k, hit_mask, min_score, names.__getitem__, one_clause)
    true = _brute_force(subject, scored, one_clause) * hit_mask
    expected = np.sort(true[(true > 0) & (true >= min_score)])[::-1][:k]
    assert ranked.scores == pytest.approx(expected, rel=1e-9)
    assert true[ranked.rows] == pytest.approx(ranked.scores, rel=1e-9)
    assert len(set(ranked.rows)) == len(ranked.rows)
    apart = np.diff(ranked.scores) < 0
    assert (apart | (np.diff(names[ranked.rows]) > 0)).all(), "equal ones by name"
    if not any(clause.kind is IN for clause in asked) and len(ranked.rows) == k:
        last = np.flatnonzero((true == ranked.scores[-1]) & ~np.isin(np.arange(N), ranked.rows))
        assert (names[last] > names[ranked.rows[-1]]).all(), "at the end too"
    for number, (clause, p) in enumerate(scored):
        if clause.negated:
            assert (ranked.partners[:, number] == -1).all()
        elif clause.kind is not IN and len(scored) == 1:
            partner = ranked.partners[:, number]
            given_by = p[partner] * weight(clause, pairs().metres[ranked.rows, partner])
            assert np.sqrt(subject[ranked.rows] * given_by) == pytest.approx(ranked.scores, rel=1e-9)


@given(
    st.lists(st.lists(st.integers(0, N - 1), min_size=0, max_size=6, unique=True), min_size=1, max_size=4),
    st.sampled_from([0.0, 1.0, 300.0, 3000.0, 2e5, 3e7]),
    st.sampled_from([1, 2, 7, 1000]),
    st.integers(0, 1000),
)
@settings(max_examples=examples(40))
def test_a_neighbor_index_finds_every_pair_that_may_be_near(
    blocks: list[list[int]], metres: float, run: int, seed: int
) -> None:
    p, gaps = np.round(np.random.default_rng(seed).random(N), 1), pairs().gaps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geocmer.geometry.neighbors.BLOCK_ROWS", run)
        index = NeighborIndex(EXTENTS, p)
        for number, block in enumerate(blocks):  # one after the other, as trees are kept
            hits, least = np.array(block, np.intp), 0.8 - 0.2 * number
            near = list(index.pairs(hits, least, metres))
            found = {pair for one, two, _ in near for pair in zip(hits[one], two, strict=True)}
            hit, other = np.nonzero((metres - 1e-6 >= gaps[hits]) & (p >= least))
            assert found >= set(zip(hits[hit], other, strict=True))
            assert all(metres + 1e-6 >= gaps[pair] and p[pair[1]] >= least for pair in found)


@given(st.sampled_from(KINDS), st.booleans(), st.integers(0, 1000), st.floats(0, 0.2))
@settings(max_examples=examples(6))
def test_scores_rise_with_what_is_asked_for_and_fall_with_what_is_forbidden(
    kind: Kind, negated: bool, seed: int, more: float
) -> None:
    rng = np.random.default_rng(seed)
    clause = Clause(kind, "b", 5000.0 if kind is WITHIN else None, negated)
    subject, p = rng.random(N), rng.random(N) * 0.8

    def scores(subject: np.ndarray, p: np.ndarray) -> np.ndarray:
        ranked = join(EXTENTS, WORLD.take, subject, [(clause, p)], None)
        found = np.zeros(N)
        found[ranked.rows] = ranked.scores
        return found

    before, raised = scores(subject, p), p.copy()
    raised[rng.integers(N)] += more
    difference = scores(subject, raised) - before
    assert (difference <= 1e-12).all() if negated else (difference >= -1e-12).all()
    assert (scores(np.minimum(subject + more, 1), p) >= before - 1e-12).all()


@given(st.sampled_from(KINDS), st.floats(0, 1e5), st.floats(0, 1e5))
def test_weights_never_rise_with_distance(kind: Kind, near: float, far: float) -> None:
    near, far = sorted((near, far))
    for metres in (5000.0,) if kind is WITHIN else (None, 5000.0):
        clause = Clause(kind, "b", metres)
        a, b = weight(clause, np.array([near, far]))
        assert 1 >= a >= b >= 0
        assert weight(clause, np.array([0.0])) == 1
        assert weight(clause, np.array([max_distance(clause) * (1 + 1e-9) + 1e-9])) == 0


@given(st.floats(0, 360, exclude_max=True))
def test_every_azimuth_lies_in_one_of_four_directions(azimuth: float) -> None:
    for four in (("north", "east", "south", "west"), ("northeast", "southeast", "southwest", "northwest")):
        hits = [bool(in_sector(Clause(BY_NAME[f"{way} of"], "b"), np.array([azimuth]))[0]) for way in four]
        assert sum(hits) == 1
    assert in_sector(Clause(NORTH, "b"), np.array([0.0, 44.9, 315.0, 45.0, 180.0])).tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [3, None])
def test_where_all_is_equal_names_decide_and_not_the_storage(kind: Kind, k: int | None) -> None:
    """Four rows of tiles, 100 km apart and all alike, in two orders of storage."""
    row = np.array([shapely.box(x / 100, y, (x + 1) / 100, y + 0.01) for y in range(4) for x in range(9)], dtype=object)
    found = []
    for order in (np.arange(36), np.random.default_rng(1).permutation(36)):
        clause, shapes = Clause(kind, "b", 1500.0 if kind is WITHIN else None), row[order]
        one = np.full(36, 0.5)
        ranked = join(extents(shapes), shapes.take, one, [(clause, one)], k, ids=order.__getitem__)
        found.append([(order[a], order[b]) for a, b in zip(ranked.rows, ranked.partners[:, 0], strict=True)])
    assert found[0] == found[1]
    if kind in (NEAR, NEXT_TO, WITHIN):
        assert found[0] == [(n, n) for n in range(36)][:k], "of equal partners a tile itself comes first"
    if kind in (EAST, WEST):
        step = -1 if kind is EAST else 1
        ends = [n for n in range(36) if 0 <= n % 9 + step < 9]
        assert found[0] == [(n, n + step) for n in ends][:k], "the nearest"


def test_one_place_is_not_north_of_itself() -> None:
    """Two scenes that are 100 m apart show the same tiles; a third tile lies 2 km to the north."""
    low, moved, high = (
        shapely.box(0, 0, 0.01, 0.01),
        shapely.box(0, 0.001, 0.01, 0.011),
        shapely.box(0, 0.03, 0.01, 0.04),
    )
    shapes = np.array([low, moved, high], dtype=object)
    subject, p = np.array([0.0, 0.9, 0.8]), np.array([0.9, 0.0, 0.0])
    north, near = (join(extents(shapes), shapes.take, subject, [(Clause(k, "b"), p)], 5) for k in (NORTH, NEAR))
    assert (north.rows.tolist(), north.partners.tolist()) == ([2], [[0]])
    assert (near.rows.tolist(), near.partners.tolist()) == ([1, 2], [[0], [0]]), "but it may be near itself"


def test_one_place_is_told_by_what_the_smaller_tile_shares() -> None:
    flat, every = to_equal_area(WORLD), pairs()
    assert np.abs(every.inside - 0.6 / 1.3).min() > 1e-4, "none on the edge, where a sphere and an ellipsoid differ"
    assert (nested(flat[ONE], flat[TWO]) == every.nested.ravel()).all()
    assert (same_place(flat[ONE], flat[TWO]) == (every.nested & (every.ratio <= 25)).ravel()).all()
    assert (same_size(flat[ONE], flat[TWO]) == (every.ratio <= 1.5).ravel()).all()
    overlaps = every.shared / (every.smaller + every.larger - every.shared)
    alike = every.ratio < 1.0001
    assert ((overlaps >= 0.3) == every.nested)[alike].all(), "of one size the intersection over union decides"


def test_a_tile_is_no_partner_of_the_larger_one_around_it() -> None:
    """Four tiles in a larger one, and a fifth beside them: all of them show a lake, and the larger one the airport."""
    small = [shapely.box(x, y, x + 0.01, y + 0.01) for x in (0, 0.01) for y in (0, 0.01)]
    shapes = np.array([*small, shapely.box(0.02, 0, 0.03, 0.01), shapely.box(0, 0, 0.02, 0.02)], dtype=object)
    lake, airport = np.array([0.9, 0.9, 0.9, 0.9, 0.8, 0.5]), np.array([0, 0, 0, 0, 0, 0.9])
    found = join(extents(shapes), shapes.take, lake, [(Clause(NEAR, "b"), airport)], None)
    assert (found.rows.tolist(), found.partners.tolist()) == ([4, 5], [[5], [5]]), "itself, and what it does not hold"
    kept = join(extents(shapes), shapes.take, lake, [(Clause(NEAR, "b", negated=True), airport)], None)
    assert kept.rows.tolist()[:4] == [0, 1, 2, 3], "nor does it speak against them"
    around = join(extents(shapes), shapes.take, lake, [(Clause(IN, "b"), airport)], None)
    assert set(around.rows.tolist()) == {4, 5}


def test_few_tiles_are_worked_out_and_none_are_needed() -> None:
    assert len(join(EXTENTS[:0], WORLD.take, np.empty(0), [], 5).rows) == 0
    grid = np.array([shapely.box(x / 100, y / 100, (x + 1) / 100, (y + 1) / 100) for x in range(60) for y in range(60)])
    rng = np.random.default_rng(0)
    subject, p = rng.random(3600) ** 10, rng.random(3600) ** 10
    ranked = join(extents(grid), grid.take, subject, [(Clause(NEAR, "b"), p)], 5)
    assert ranked.examined < 1000
