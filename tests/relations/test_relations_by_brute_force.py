"""A world of two scenes that overlap, and what brute force finds in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from concept_axes import AXES, encode
from effort import examples
from hits import score_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from synthetic import cached_copy, filled, footprint, tile, unit

from geocmer.export import write
from geocmer.geometry.bbox import BBox
from geocmer.relations.parser import parse
from geocmer.relations.relation_search import relate
from geocmer.search.probability import MIDPOINT_Z, STEEPNESS, background
from geocmer.store import Filter, Store
from geocmer.store.schema import TileRow

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


@settings(max_examples=examples(15))
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
