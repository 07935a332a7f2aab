from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from hits import score_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from synthetic import DIM, ENCODER, cached_copy, filled, footprint, tile, unit

from geocmer.errors import InputError, StoreError
from geocmer.export import attributes, write
from geocmer.geometry.bbox import BBox
from geocmer.relations.parser import parse
from geocmer.relations.question import Question, SearchOptions, answer_question
from geocmer.relations.relation_search import relate
from geocmer.search.dot import exact_dots, quantize_queries
from geocmer.search.probability import MIDPOINT_Z, STEEPNESS, background
from geocmer.search.results import Hit
from geocmer.store import Filter, Store
from geocmer.store.schema import TileRow

BACKGROUND = unit(len(background()), DIM, seed=1)
BACKGROUND[:, [0, 1, 2, -1]] = 0  # so that the three concepts below stand out against it, and fields little
AXES = dict(zip(("airport", "river", "forest"), np.eye(DIM, dtype=np.float32), strict=False))
DEGREE = 0.01  # 1.1 km: the tiles of a row across the antimeridian
KINDS = ("airport", "field", "river", "field", "field", "field", "airport", "forest", "field", "field", "airport")


def encode(texts: Sequence[str]) -> np.ndarray:
    known = dict(zip(background(), BACKGROUND, strict=True)) | AXES
    return np.array([known[text] for text in texts])


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Tiles from west to east, 180 degrees after the fifth; the last has no vector."""
    rows = [
        tile(n, geometry=footprint(180 - 5 * DEGREE + n * DEGREE, 0, DEGREE, DEGREE), category=kind)
        if n < 5
        else tile(n, geometry=footprint(-180 + (n - 5) * DEGREE, 0, DEGREE, DEGREE), category=kind)
        for n, kind in enumerate(KINDS)
    ]
    field = np.array([0, 0, 0, *[0.3 / np.sqrt(DIM - 4)] * (DIM - 4), np.sqrt(1 - 0.3**2)], np.float32)
    vectors = np.array([AXES.get(kind, field) for kind in KINDS], np.float32)
    store = filled(tmp_path_factory.mktemp("relate") / "store", rows[:-1], vectors[:-1])
    store.add_tiles(rows[-1:])
    return store


def _found(store: Store, text: str, **conditions: Any) -> list[tuple[int, list[int]]]:
    """The airports among the best two, each with its partners."""
    answer = relate(store, parse(text), encode, k=2, min_score=0.2, filter=Filter(**conditions))
    assert len(answer) == len(answer.hits)
    return [(int(hit.id, 16), [int(partner.id, 16) for partner in hit.partners]) for hit in answer]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("airport near river", [(0, [2])]),
        ("airport near forest", [(6, [7])]),
        ("airport next to forest", [(6, [7])]),
        ("airport next to river", []),
        ("airport within 5 km of river", [(0, [2]), (6, [2])]),
        ("airport not near river", [(0, []), (6, [])]),
        ("airport more than 5 km from river", []),
        ("airport east of river", [(6, [2])]),
        ("airport west of river", [(0, [2])]),
        ("airport north of river", []),
        ("airport near forest and not near river", [(6, [7])]),
        ("airport within 5 km of river and near forest", [(6, [2, 7])]),
        ("river near airport", [(2, [0])]),
        ("airport near river or forest", [(0, [2]), (6, [7])]),
        ("airport near river or next to forest", [(0, [2]), (6, [7])]),
        ("airport next to forest or north of river", [(6, [7])]),
        ("river or forest near airport", [(2, [0]), (7, [6])]),
        ("airport near forest or more than 2 km from river", [(6, [7])]),
        ("airport more than 2 km from river or forest", []),
    ],
)
def test_relations_in_a_row_of_tiles(row: Store, text: str, expected: list[tuple[int, list[int]]]) -> None:
    assert sorted(_found(row, text)) == expected


def test_the_farther_the_better_where_a_place_is_forbidden(row: Store) -> None:
    far, near = relate(row, parse("airport not near river"), encode, k=2).hits
    assert (int(far.id, 16), int(near.id, 16)) == (6, 0)
    assert score_of(near) < 0.8 * score_of(far)


def test_a_region_holds_for_hits_and_not_for_partners(row: Store) -> None:
    east = BBox(-180, -1, -179.9, 1)
    assert _found(row, "airport within 5 km of river", region=east) == [(6, [2])]
    assert _found(row, "airport within 5 km of river", category="forest") == []


def test_a_hit_tells_its_partner(row: Store) -> None:
    (hit,) = relate(row, parse("airport near river"), encode, min_score=0.2).hits
    (partner,) = hit.partners
    assert partner.relation == "near river"
    assert partner.distance_m == pytest.approx(1113.2, abs=0.1)
    assert partner.bearing == pytest.approx(270)
    assert 0.9 < partner.score < 1
    assert partner.line is not None
    assert partner.line.bounds == pytest.approx((179.955, 0.005, 179.975, 0.005), abs=1e-6)
    assert partner.geometry.equals(footprint(179.97, 0, DEGREE, DEGREE))
    assert attributes(hit)["partners"] == [partner.attributes()]
    ((far,),) = (other.partners for other in relate(row, parse("airport east of river"), encode, k=1))
    assert shapely.get_num_geometries(far.line) == 2, "cut at the antimeridian"
    assert far.bearing == pytest.approx(90)


def test_a_query_without_relations_ranks_by_its_concept(row: Store) -> None:
    answer = relate(row, parse("airport"), encode, k=2)
    assert [hit.category for hit in answer] == ["airport", "airport"]
    assert [hit.partners for hit in answer] == [(), ()]
    assert [hit.rank for hit in answer] == [1, 2]


@given(st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_the_order_of_tiles_does_not_matter(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [tile(n, west=n % 6 * 0.01, south=n // 6 * 0.01, size=0.01) for n in range(30)]
    vectors = unit(30, seed=seed)
    order = rng.permutation(30)
    found = []
    for some in (np.arange(30), order):
        store = filled(tmp_path_factory.mktemp("order") / "store", [rows[n] for n in some], vectors[some])
        answer = relate(store, parse("airport near river and not in forest"), encode, k=7)
        found.append([(hit.id, round(score_of(hit), 9)) for hit in answer])
    assert found[0] == found[1]


def test_what_cannot_be_asked_is_refused(row: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no vectors yet"):
        relate(filled(tmp_path / "empty", [tile(1)], None), parse("airport near river"), encode)
    with pytest.raises(InputError, match="k is 0"):
        relate(row, parse("airport near river"), encode, k=0)
    with pytest.raises(InputError, match="class 'lava' cannot be asked for"):
        relate(row, parse("airport near river"), encode, filter=Filter(where="lava > 0.1"))


# -- a world of two scenes that overlap, and what brute force finds in it ---------------------------------------------

SIDE, STEP = 9, 0.01
MAY, JUNE, LOST = datetime(2020, 5, 1, tzinfo=UTC), datetime(2020, 6, 1, tzinfo=UTC), 12
AREA = BBox(10.018, 44.9, 10.055, 45.075)


def _world() -> tuple[list[TileRow], np.ndarray]:
    """A grid, a second one of a later date shifted by a tenth of a tile, some tiles turned; a few vectors for many."""
    rng = np.random.default_rng(3)
    rows = []
    for number in rng.permutation(2 * SIDE * SIDE).tolist():
        later, at = divmod(number, SIDE * SIDE)
        x, y = 10 + at % SIDE * STEP + later * STEP / 10, 45 + at // SIDE * STEP + later * STEP / 10
        shape = footprint(x, y, STEP, STEP, turn=20 if at % 5 == 0 else 0)
        moment = None if at % 17 == 0 else (MAY, JUNE)[later]
        rows.append(tile(number, geometry=shape, datetime=moment, category=("town", "field", None)[at % 3]))
    vectors = np.abs(unit(30, seed=8))[rng.integers(0, 30, len(rows))]
    return rows, vectors


ROWS, VECTORS = _world()
EMBEDDED = len(ROWS) - LOST


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = filled(tmp_path_factory.mktemp("relate") / "store", ROWS[:EMBEDDED], VECTORS[:EMBEDDED])
    store.add_tiles(ROWS[EMBEDDED:])
    return store


@pytest.fixture(scope="module")
def copy(world: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The same store with a memory-mapped cache, scored by the compiled product."""
    with cached_copy(world, tmp_path_factory.mktemp("relate") / "copy", mapped_rows=40) as store:
        yield store


def _metres() -> np.ndarray:
    """Between footprints, from points along their edges and the geodesics between these; 0 where they intersect."""
    shapes = np.array([row.geometry for row in ROWS], dtype=object)
    one, two = (grid.ravel() for grid in np.meshgrid(range(len(ROWS)), range(len(ROWS)), indexing="ij"))
    nearest = shapely.get_coordinates(shapely.shortest_line(_flat(shapes)[one], _flat(shapes)[two])).reshape(-1, 4)
    metres = np.array(Geod(ellps="WGS84").inv(*_unflat(nearest[:, :2]), *_unflat(nearest[:, 2:]))[2])
    metres[shapely.intersects(shapes[one], shapes[two])] = 0
    return metres.reshape(len(ROWS), len(ROWS))


def _flat(shapes: np.ndarray) -> np.ndarray:
    """A plane in which the small world is true to shape: the nearest points are the nearest on the ground."""
    return shapely.transform(shapes, lambda xy: xy * [np.cos(np.radians(45.04)), 1.0])


def _unflat(points: np.ndarray) -> np.ndarray:
    return (points / [np.cos(np.radians(45.04)), 1.0]).T


@pytest.fixture(scope="module")
def metres() -> np.ndarray:
    return _metres()


def _brute_force(metres: np.ndarray, kind: str, since: datetime | None) -> np.ndarray:
    """The score of every tile for "airport KIND river", -1 where there is no vector or the date is wrong."""
    there = np.arange(len(ROWS)) < EMBEDDED
    if since:
        there &= [row.datetime is not None and row.datetime >= since for row in ROWS]
    halved = VECTORS.astype(np.float16).astype(np.float64)
    others = encode(list(background())).astype(np.float64)
    mean = others.mean(axis=0)

    def products(concepts: np.ndarray) -> np.ndarray:
        apart = concepts - mean
        found: np.ndarray = halved @ (apart / np.linalg.norm(apart, axis=1, keepdims=True)).T
        return found

    z = products(np.array([AXES["airport"], AXES["river"]])) / products(others)[there].std()
    airport, river = (1 / (1 + np.exp(STEEPNESS * (MIDPOINT_Z - z)))).T
    half = {"near": 1000.0, "next to": 100.0}[kind]
    w = np.where(metres <= 3 * half, 2.0 ** -((metres / half) ** 2), 0)
    score = np.sqrt(airport * (w * river * there).max(axis=1))
    return np.where(there, score, -1.0)


def _age(number: int) -> float:
    """Order tiles from the newest to the oldest, those without a date last."""
    moment = ROWS[number].datetime
    return -moment.timestamp() if moment else 1


def _one_each(order: list[int], newest: bool) -> list[int]:
    """What is kept of the tiles, best first, if no two show the same place."""
    shapes = np.array([row.geometry for row in ROWS], dtype=object)
    first = sorted(order, key=_age) if newest else order
    kept: list[int] = []
    for n in first:
        shared = shapely.area(shapely.intersection(shapes[n], shapes[kept]))
        if not (shared >= 6 / 13 * np.minimum(shapes[n].area, shapely.area(shapes[kept]))).any():
            kept.append(n)
    return [n for n in order if n in kept]


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["near", "next to"]),
    asked=st.fixed_dictionaries(
        {
            "filter": st.builds(
                Filter,
                region=st.none() | st.just(AREA),
                category=st.none() | st.just("town"),
                since=st.none() | st.just(JUNE),
            )
        },
        optional={
            "min_score": st.sampled_from([0.01, 0.2]),
            "k": st.none() | st.integers(1, 40),
            "keep": st.sampled_from([None, "best", "newest"]),
        },
    ),
)
def test_relate_equals_brute_force(
    world: Store, copy: Store, metres: np.ndarray, kind: str, asked: dict[str, Any]
) -> None:
    filter = asked["filter"]
    scores = _brute_force(metres, kind, filter.since)
    box = AREA.to_shapely()
    meets = [
        (filter.region is None or row.geometry.intersects(box))
        and (filter.category is None or row.category == "town")
        and (filter.since is None or (row.datetime is not None and row.datetime >= JUNE))
        for row in ROWS
    ]
    hits = [n for n in range(EMBEDDED) if meets[n] and scores[n] > 0 and scores[n] >= asked.get("min_score", 0.0)]
    order = sorted(hits, key=lambda n: (-round(float(scores[n]), 9), ROWS[n].id))
    expected = _one_each(order, asked["keep"] == "newest") if asked.get("keep") else order
    k = asked.get("k", 10)
    answer = relate(world, parse(f"airport {kind} river"), encode, **asked)
    found = answer.hits
    # `_metres` agrees with the distances to a millimetre, which far from a partner is 2e-6 of its weight.
    assert [hit.score for hit in found] == pytest.approx([scores[n] for n in expected[:k]], rel=1e-5)
    assert [(round(score_of(hit), 9), hit.id) for hit in found] == sorted(
        [(round(score_of(hit), 9), hit.id) for hit in found], key=lambda pair: (-pair[0], pair[1])
    )
    assert {hit.id for hit in found} <= {ROWS[n].id for n in expected}
    assert answer.plan.unembedded == sum(meets[EMBEDDED:])
    assert answer.plan.matched == sum(meets[:EMBEDDED])
    if expected and asked.get("keep"):
        last = len(order) if len(found) == len(expected) != k else order.index(expected[: len(found)][-1]) + 1
        assert answer.plan.hidden == last - len(found)
    number = {row.id: n for n, row in enumerate(ROWS)}
    for hit in found:
        (partner,) = hit.partners
        assert partner.distance_m == pytest.approx(metres[number[hit.id], number[partner.id]], abs=0.1)
    copied = relate(copy, parse(f"airport {kind} river"), encode, **asked)
    assert copied.hits == found, "the same to the last bit"
    assert copied.plan.method.startswith("memory-mapped cache")
    assert answer.plan.method.startswith("LanceDB scan")
    counts = [(p.matched, p.unembedded, p.hidden, p.tiles, p.scanned) for p in (answer.plan, copied.plan)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("text", ["airport in forest", "airport north of river and not near forest", "airport"])
def test_the_memory_mapped_cache_answers_the_same(world: Store, copy: Store, text: str) -> None:
    plain, copied = (relate(store, parse(text), encode, k=None).hits for store in (world, copy))
    assert copied == plain
    assert len(plain) > 10


def test_a_sample_does_not_depend_on_how_it_is_read(
    world: Store, copy: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geocmer.relations.tile_scores.SAMPLE_TILES", 50)
    monkeypatch.setattr("geocmer.store.snapshot.BATCH_ROWS", 16)
    order = np.random.default_rng(0).permutation(EMBEDDED)
    other = filled(tmp_path / "store", [ROWS[n] for n in order], VECTORS[order])
    other.add_tiles(ROWS[EMBEDDED:])
    found = [relate(store, parse("airport near river"), encode).hits for store in (world, copy, other)]
    assert found[0] == found[1] == found[2]
    monkeypatch.setattr("geocmer.relations.tile_scores.SAMPLE_TILES", 10_000)
    assert relate(world, parse("airport near river"), encode).hits != found[0], "it was a sample indeed"


def test_partners_are_made_as_the_hits_are_read(world: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = relate(world, parse("airport near river"), encode, k=None).hits
    monkeypatch.setattr("geocmer.search.results.PAGE_HITS", 7)
    monkeypatch.setattr("geocmer.relations.tile_scores.MAX_CACHED_FOOTPRINTS", 5)
    assert relate(world, parse("airport near river"), encode, k=None).hits == whole


def test_an_answer_knows_its_store(world: Store, tmp_path: Path) -> None:
    answer = relate(world, parse("airport near river"), encode, k=3)
    assert write(answer, tmp_path / "hits.stac.parquet") == 3
    (first, *_) = pq.read_table(tmp_path / "hits.stac.parquet")["geocmer:partners"].to_pylist()
    assert json.loads(first) == [partner.attributes() for partner in answer.hits[0].partners]


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_exact_row_dots_are_the_same_in_any_order(seed: int, n: int, count: int) -> None:
    from geocmer.search.dot_numba import exact_row_dots

    rng = np.random.default_rng(seed)
    vectors = unit(n, 384, seed).astype(np.float16)
    vectors[:, :5] = 2.0 ** -rng.integers(14, 25, (n, 5))  # some are subnormal
    queries = quantize_queries(2 * unit(count, 384, seed + 1))
    found = exact_dots(vectors, queries)
    assert (found == [[math.fsum(row.astype(float) * query) for row in vectors] for query in queries]).all()
    turn = rng.permutation(384)
    assert (exact_dots(np.ascontiguousarray(vectors[:, turn]), queries[:, turn]) == found).all()
    rows = rng.integers(0, n, 17)
    assert (exact_row_dots(vectors, rows, queries) == found[:, rows]).all()


@pytest.mark.parametrize("text", ["airport", "airport near river"])
def test_a_printed_score_keeps_its_tile(row: Store, text: str) -> None:
    """A score is printed rounded, half of the time upwards."""
    encoder: Any = SimpleNamespace(fingerprint=ENCODER.fingerprint, dim=DIM, encode_texts=encode, folder=None)
    said: list[str] = []

    def ask(least: float | None) -> list[Hit]:
        options = SearchOptions(min_score=least, category_prior=0.0 if text == "airport" else None)
        return list(answer_question(row, encoder, Question([text]), options, said.append))

    hits = ask(None)
    assert hits
    for hit in hits:
        assert hit.id in {found.id for found in ask(float(attributes(hit)["score"]))}
