from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import DIM, ENCODER, NASTY, OTHER, contents, filled, footprint, scene, tile, unit

from geocmer.errors import FingerprintError, InputError, StoreError
from geocmer.filters import Filter, inside
from geocmer.geometry import BBox, Region
from geocmer.ranking import Best, dots
from geocmer.search import everything, search
from geocmer.store import Store, TileRow

# -- a world of tiles, and what brute force finds in it ---------------------------------------------------------------

START = datetime(2020, 1, 1, tzinfo=UTC)
RNG = np.random.default_rng(7)


def _world() -> tuple[list[TileRow], np.ndarray]:
    """Tiles in two grids (one across the antimeridian), turned ones, a wide one, and one around the pole; many tie."""
    shapes = [footprint(10 + x / 2, 45 + y / 2, 0.5, 0.5) for x in range(10) for y in range(10)]
    shapes += [footprint(177.75 + x / 2, -19 + y / 2, 0.5, 0.5) for x in range(9) for y in range(6)]
    shapes += [footprint(x, y, 1.5, 0.7, turn) for x, y, turn in RNG.uniform([5, 40, 0], [20, 55, 360], (40, 3))]
    shapes += [footprint(x, y, 1.5, 0.7, turn) for x, y, turn in RNG.uniform([175, -25, 0], [180, -10, 360], (40, 3))]
    shapes += [footprint(-20, 30, 60, 12), shapely.box(-180, 84, 180, 90)]
    # A few vectors for many tiles: scores tie, to the last bit.
    kinds = unit(25, seed=3)[RNG.integers(0, 25, len(shapes))]
    rows = [
        tile(
            int(number),
            geometry=shape,
            scene_id=scene(int(number) % 3).id,
            category=[*NASTY, None][int(RNG.integers(0, len(NASTY) + 1))],
            datetime=None if RNG.random() < 0.2 else START + timedelta(hours=float(RNG.uniform(0, 24 * 60))),
        )
        for number, shape in zip(RNG.permutation(len(shapes)), shapes, strict=True)
    ]
    return rows, kinds


ROWS, VECTORS = _world()
EMBEDDED = len(ROWS) - 30


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = filled(tmp_path_factory.mktemp("search") / "store", ROWS[:EMBEDDED], VECTORS[:EMBEDDED])
    store.add_tiles(ROWS[EMBEDDED:])
    for number in range(3):
        store.add_scene(scene(number))
    return store


def _brute_force(query, area, category, since, until, min_score, weights) -> tuple[list[str], list[float], int]:
    """Ids and scores of all embedded tiles that match, best first, and how many that match are not embedded."""
    scored, unembedded = [], 0
    halved = VECTORS.astype(np.float16).astype(np.float64)
    for number, row in enumerate(ROWS):
        if area is not None and not row.geometry.intersects(area):
            continue
        if category is not None and row.category != category:
            continue
        if (since or until) and row.datetime is None:
            continue
        if (since and row.datetime < since) or (until and row.datetime > until):
            continue
        if number >= EMBEDDED:
            unembedded += 1
            continue
        score = math.fsum(halved[number] * query / np.linalg.norm(query)) + (weights or {}).get(row.category, 0.0)
        if min_score is None or score >= min_score:
            scored.append((-round(score, 12), row.id, score))
    scored.sort()
    return [name for _, name, _ in scored], [score for *_, score in scored], unembedded


def _box(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    parts = [(west, east)] if west <= east else [(west, 180), (-180, east)]
    corners = [shapely.MultiPoint([(w, south), (w, north), (e, south), (e, north)]) for w, e in parts]
    return shapely.union_all([points.convex_hull for points in corners])  # a line or a point where it has no area


longitudes = st.one_of(st.floats(5, 25), st.floats(170, 180), st.floats(-180, -170), st.floats(-180, 180))
latitudes = st.one_of(st.floats(38, 57), st.floats(-28, -8), st.floats(-90, 90))
on_the_grid = st.tuples(
    st.sampled_from([10.0, 12.5, 15.0, 177.75, 180.0, -180.0, -179.25]), st.sampled_from([45.0, 47.5, -19.0])
)


@st.composite
def regions(draw: st.DrawFn) -> tuple[BBox | Region, shapely.Geometry]:
    """A region for geocmer, and the same made with shapely alone."""
    if draw(st.booleans()):
        (west, south), (east, north) = draw(
            st.tuples(on_the_grid, on_the_grid) | st.tuples(*[st.tuples(longitudes, latitudes)] * 2)
        )
        south, north = sorted((south, north))
        return BBox(west, south, east, north), _box(west, south, east, north)
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        x, y = draw(
            st.tuples(st.floats(5, 20), st.floats(40, 55)) | st.tuples(st.floats(176, 180), st.floats(-24, -10))
        )
        angles = np.sort(draw(st.lists(st.floats(0, 6.28), min_size=3, max_size=12, unique=True)))
        ring = np.column_stack([x + 3 * np.cos(angles), y + 3 * np.sin(angles)])
        whole = shapely.Polygon(ring).buffer(0)
        beyond = shapely.transform(whole.intersection(shapely.box(180, -90, 540, 90)), lambda xy: xy - [360, 0])
        parts += [whole.intersection(shapely.box(-180, -90, 180, 90)), beyond]
    area = shapely.union_all(parts)
    polygons = [part for part in shapely.get_parts(area) if part.geom_type == "Polygon" and part.area > 1e-6]
    area = shapely.MultiPolygon(polygons) if polygons else shapely.box(0, 0, 1, 1)
    return Region(area, "a test"), area


@settings(max_examples=300, deadline=None)
@given(
    where=st.none() | regions(),
    category=st.none() | st.sampled_from([*NASTY, "absent"]),
    period=st.none() | st.tuples(st.integers(0, 60), st.integers(0, 60)),
    k=st.none() | st.integers(1, 400),
    min_score=st.none() | st.floats(-1, 1),
    weights=st.none() | st.dictionaries(st.sampled_from([*NASTY, None, "absent"]), st.floats(-2, 2)),
    query=st.integers(0, 24).map(lambda n: unit(25, seed=3)[n])
    | st.integers(0, 99).map(lambda n: 3 * unit(100, seed=5)[n]),
)
def test_search_equals_brute_force(world: Store, where, category, period, k, min_score, weights, query) -> None:
    region, area = where or (None, None)
    since, until = (START + timedelta(days=day) for day in sorted(period)) if period else (None, None)
    asked = {"region": region, "category": category, "since": since, "until": until}
    answer = search(world, query, **asked, k=k, min_score=min_score, weights=weights)
    ids, scores, unembedded = _brute_force(query.astype(np.float64), area, category, since, until, min_score, weights)
    hits = answer.hits
    assert [hit.id for hit in hits] == ids[:k]
    assert [hit.score for hit in hits] == pytest.approx(scores[:k], abs=1e-12)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert answer.plan.unembedded == unembedded
    assert answer.plan.tiles == len(ROWS)
    assert min_score is not None or answer.plan.matched == len(ids)
    assert answer.plan.exact
    found = everything(world, **asked)
    if min_score is None:
        assert len(list(found)) == len(ids) + unembedded


# -- what a hit carries ----------------------------------------------------------------------------------------------


def test_a_hit_carries_all_that_the_store_knows(tmp_path: Path) -> None:
    rows = [
        tile(
            1, west=3, category="forest", fractions={"tree": 0.7, "water": 0.3}, captions=["a", "b"], thumbnail=b"png"
        ),
        tile(2, west=4, scene_id="unfinished"),
    ]
    store = filled(tmp_path / "store", [], None)
    store.begin(ENCODER)
    store.add_tiles(rows, unit(2))
    store.add_scene(scene(0, id=rows[0].scene_id))
    first, second = sorted(search(store, unit(2)[0]), key=lambda hit: hit.id)
    assert (first.rank, first.score) == (1, pytest.approx(1, abs=1e-3))
    assert first.geometry.equals(rows[0].geometry)
    assert (first.category, first.fractions, first.captions) == ("forest", {"tree": 0.7, "water": 0.3}, ("a", "b"))
    assert (first.uri, first.thumbnail, first.gsd) == ("/data/scene 0.tif", b"png", 28.5)
    assert (second.uri, second.category, second.fractions, second.captions) == (None, None, {}, ())
    assert second.datetime is None
    assert [(hit.rank, hit.score) for hit in everything(store)] == [(1, None), (2, None)]


def test_dates_include_their_whole_day(tmp_path: Path) -> None:
    hours = [datetime(2020, 5, day, hour, tzinfo=UTC) for day in (1, 2, 3) for hour in (0, 12, 23)]
    store = filled(tmp_path / "store", [tile(n, datetime=moment) for n, moment in enumerate(hours)], unit(9))
    found = search(store, unit(1)[0], since=date(2020, 5, 2), until=date(2020, 5, 2))
    assert sorted(hit.datetime for hit in found) == hours[3:6]


def test_the_answer_does_not_change_under_the_reader(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(5)], unit(5))
    answer = search(store, unit(1)[0], k=None)
    Store.open(store.path).add_tiles([tile(n) for n in range(5, 50)], unit(45))
    assert len(answer.hits) == 5
    assert len(search(store, unit(1)[0], k=None)) == 50, "the next one sees what another process wrote"


def test_an_empty_store_answers_with_nothing(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    store.begin(ENCODER)
    assert search(store, unit(1)[0], region=BBox(170, -10, -170, 10)).hits == []
    assert list(everything(store, category="x")) == []


# -- what cannot be asked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "asked", "says"),
    [
        (unit(1, DIM + 1)[0], {}, r"shape \(9,\) does not fit fake"),
        (unit(2), {}, "shape"),
        (np.zeros(DIM), {}, "zero or not finite"),
        (np.full(DIM, np.nan), {}, "zero or not finite"),
        (unit(1)[0], {"k": 0}, "k is 0; ask for at least 1"),
        (unit(1)[0], {"weights": {"forest": math.nan}}, "weight of category 'forest' is nan"),
        (unit(1)[0], {"since": datetime(2020, 1, 1)}, "no time zone"),  # noqa: DTZ001
        (unit(1)[0], {"since": date(2021, 1, 1), "until": date(2020, 1, 1)}, "later than until"),
    ],
)
def test_bad_questions_are_refused(world: Store, query, asked, says: str) -> None:
    with pytest.raises(InputError, match=says):
        search(world, query, **asked)


def test_a_store_without_vectors_says_how_to_get_them(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(1)], None)
    with pytest.raises(StoreError, match="no vectors yet; run `geocmer embed"):
        search(store, unit(1)[0])


def test_another_encoder_is_refused(world: Store) -> None:
    assert len(search(world, unit(1)[0], fingerprint=ENCODER.fingerprint)) == 10
    with pytest.raises(FingerprintError):
        search(world, unit(1)[0], fingerprint=OTHER.fingerprint)


@pytest.mark.parametrize("word", [*NASTY, "' OR 1=1 --", "category", "absent"])
def test_a_category_means_only_itself(world: Store, word: str) -> None:
    before = contents(world)
    assert {hit.category for hit in search(world, unit(1)[0], category=word, k=None)} <= {word}
    assert contents(world) == before


# -- the parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "dim"), [(0, 8), (1, 3), (1024, 384), (2500, 37)])
def test_dots_of_float16_are_those_of_float64(n: int, dim: int) -> None:
    vectors, query = unit(n, dim, seed=1).astype(np.float16), unit(1, dim, seed=2)[0]
    assert dots(vectors, query) == pytest.approx(vectors.astype(np.float64) @ query.astype(np.float64), abs=1e-6)


def test_dots_read_every_finite_float16() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)]
    assert (dots(every.reshape(-1, 1), np.ones(1, np.float32)) == every.astype(np.float32)).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.none() | st.integers(1, 60), st.integers(1, 40))
def test_the_best_do_not_depend_on_the_batches(seed: int, k: int | None, step: int) -> None:
    vectors = unit(10, seed=seed)[np.random.default_rng(seed).integers(0, 10, 100)].astype(np.float16)
    ids = np.array([f"{n:032x}" for n in np.random.default_rng(seed + 1).permutation(100)], dtype="S32")
    best = Best(unit(1, seed=seed + 2)[0].astype(np.float64), k, None)
    for start in range(0, 100, step):
        part = slice(start, start + step)
        best.offer(vectors[part], np.arange(100, dtype=np.uint64)[part], lambda rows, ids=ids[part]: ids[rows])
    rows, scores = best.ranked()
    exact = (vectors.astype(np.float64) * best._query).sum(axis=1)
    expected = np.lexsort((ids, -exact))[:k]
    assert rows.tolist() == expected.tolist()
    assert scores.tolist() == exact[expected].tolist()


def test_only_footprints_on_the_edge_are_looked_at() -> None:
    shapes = np.array([shapely.box(x, y, x + 1, y + 1) for x in range(30) for y in range(30)], dtype=object)
    for region in (BBox(5.5, 5.5, 15.5, 15.5).to_shapely(), shapely.Point(15, 15).buffer(8)):
        asked = []

        def footprints(rows: np.ndarray, asked: list[int] = asked) -> np.ndarray:
            asked.extend(rows.tolist())
            return shapes[rows]

        found = inside(Region(region, "a test"), shapely.bounds(shapes), footprints)
        assert (found == shapely.intersects(region, shapes)).all()
        assert len(asked) < found.sum() / 2


def test_a_region_of_many_parts_is_still_a_short_filter() -> None:
    dots_ = shapely.MultiPolygon([shapely.box(x, 0, x + 0.1, 0.1) for x in range(100)])
    text = Filter(Region(dots_, "a test")).where(lambda: (0.1, 0.1, 180.0))
    assert text is not None
    assert len(text) < 2000
