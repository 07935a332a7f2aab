from __future__ import annotations

import gc
import math
import operator
import shutil
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from synthetic import DIM, ENCODER, NASTY, OTHER, contents, filled, footprint, scene, tile, unit

from geocmer.errors import FingerprintError, InputError, StoreError
from geocmer.geometry.bbox import BBox
from geocmer.geometry.region import Region
from geocmer.relations.tile_scores import score_tiles
from geocmer.search.dot import dots
from geocmer.search.topk import TopK
from geocmer.search.vector_search import iter_tiles, nearest_tiles
from geocmer.store import mmap_cache
from geocmer.store.areas import inside
from geocmer.store.filter import Filter
from geocmer.store.snapshot import Snapshot
from geocmer.store.store import Store, TileRow

Holds = Callable[[Mapping[str, float]], bool]  # does a condition hold for the fractions of a tile

# -- a world of tiles, and what brute force finds in it ---------------------------------------------------------------

START = datetime(2020, 1, 1, tzinfo=UTC)
RNG = np.random.default_rng(7)
GSD = (0.3, 2.5, 10, 28.5)
LABELS = ("Tree cover", "Built-up", "Permanent water bodies", *NASTY[1:5])


def _fractions() -> dict[str, float]:
    """Sixty-fourths, so that sums of them are exact in any order."""
    parts = RNG.multinomial(64, [1 / len(LABELS)] * len(LABELS))
    return {label: part / 64 for label, part in zip(LABELS, parts.tolist(), strict=True) if part}


def _world() -> tuple[list[TileRow], np.ndarray]:
    """Tiles in two grids (one across the antimeridian), turned ones, wide ones, and one around the pole; many tie."""
    shapes = [footprint(10 + x / 2, 45 + y / 2, 0.5, 0.5) for x in range(10) for y in range(10)]
    shapes += [footprint(177.75 + x / 2, -19 + y / 2, 0.5, 0.5) for x in range(9) for y in range(6)]
    shapes += [footprint(x, y, 1.5, 0.7, turn) for x, y, turn in RNG.uniform([5, 40, 0], [20, 55, 360], (40, 3))]
    shapes += [footprint(x, y, 1.5, 0.7, turn) for x, y, turn in RNG.uniform([175, -25, 0], [180, -10, 360], (40, 3))]
    shapes += [footprint(-20, 30, 60, 12), footprint(9.63, 44.61, 6, 6), shapely.box(-180, 84, 180, 90)]
    # A few vectors for many tiles: scores tie, to the last bit.
    kinds = unit(25, seed=3)[RNG.integers(0, 25, len(shapes))]
    rows = [
        tile(
            int(number),
            geometry=shape,
            scene_id=scene(int(number) % 3).id,
            category=[*NASTY, None][int(RNG.integers(0, len(NASTY) + 1))],
            gsd=float(RNG.choice(GSD)),
            fractions=None if RNG.random() < 0.2 else _fractions(),
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


@pytest.fixture(scope="module")
def copy(world: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The same store with a memory-mapped cache whose blocks are small, scored by the compiled product."""
    path = tmp_path_factory.mktemp("search") / "copy"
    shutil.copytree(world.path, path)
    store = Store.open(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geocmer.store.mmap_cache.BLOCK_ROWS", 7)
        patch.setattr("geocmer.store.mmap_source.MAPPED_ROWS", 80)
        patch.setattr("geocmer.search.dot.NUMBA_MIN_ROWS", 50)
        assert mmap_cache.build_cache(store.snapshot()) is not None
        yield store


def _brute_force(
    query: np.ndarray,
    area: shapely.Geometry | None,
    category: str | None,
    since: datetime | None,
    until: datetime | None,
    min_score: float | None,
    weights: Mapping[str | None, float] | None,
    gsd: tuple[float | None, float | None] | None,
    holds: Holds | None,
) -> tuple[list[str], list[float], int]:
    """Ids and scores of all embedded tiles that match, best first, and how many that match are not embedded."""
    scored: list[tuple[float, str, float]] = []
    unembedded = 0
    halved = VECTORS.astype(np.float16).astype(np.float64)
    for number, row in enumerate(ROWS):
        if area is not None and not row.geometry.intersects(area):
            continue
        if category is not None and row.category != category:
            continue
        if gsd and not np.float32(gsd[0] or 0) <= np.float32(row.gsd) <= np.float32(gsd[1] or 1e9):
            continue
        if holds and (row.fractions is None or not holds(row.fractions)):
            continue
        moment = row.datetime
        if (since or until) and moment is None:
            continue
        if moment and ((since and moment < since) or (until and moment > until)):
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


NAMES = {
    "built_up": "Built-up",
    "BUILT-UP": "Built-up",
    "forest": "Tree cover",  # the category word of the bundled legends
    "'Permanent water bodies'": "Permanent water bodies",
    "\"x' OR '1'='1\"": NASTY[1],
    "Überschwemmung_水": NASTY[3],
}


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> tuple[str, Holds]:
    """A condition as text, and as a function of a tile's fractions."""
    if depth == 0 or draw(st.booleans()):
        name, sign = draw(st.sampled_from(sorted(NAMES))), draw(st.sampled_from(sorted(SIGNS)))
        least = draw(st.integers(0, 32)) / 64
        return f"{name} {sign} {least}", lambda shares: SIGNS[sign](shares.get(NAMES[name], 0), least)
    (one, first), (two, second) = draw(conditions(depth - 1)), draw(conditions(depth - 1))
    kind = draw(st.sampled_from(["and", "or", "not"]))
    if kind == "not":
        return f"NOT ({one})", lambda shares: not first(shares)
    if kind == "and":
        return f"({one}) and ({two})", lambda shares: first(shares) and second(shares)
    return f"({one}) Or {two}" if depth == 1 else f"({one}) or ({two})", lambda shares: first(shares) or second(shares)


SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne}


@settings(max_examples=100, deadline=None)
@given(
    where=st.none() | regions(),
    category=st.none() | st.sampled_from([*NASTY, "absent"]),
    period=st.none() | st.tuples(st.integers(0, 60), st.integers(0, 60)),
    k=st.none() | st.integers(1, 400),
    min_score=st.none() | st.floats(-1, 1),
    gsd=st.none() | st.tuples(st.none() | st.sampled_from(GSD[:2]), st.none() | st.sampled_from(GSD[1:])),
    condition=st.none() | conditions(),
    weights=st.none()
    | st.dictionaries(st.sampled_from([*NASTY, None, "absent"]), st.integers(-128, 128).map(lambda n: n / 64)),
    query=st.integers(0, 24).map(lambda n: unit(25, seed=3)[n])
    | st.integers(0, 99).map(lambda n: 3 * unit(100, seed=5)[n]),
)
def test_search_equals_brute_force(
    world: Store,
    copy: Store,
    where: tuple[BBox | Region, shapely.Geometry] | None,
    category: str | None,
    period: tuple[int, int] | None,
    k: int | None,
    min_score: float | None,
    weights: dict[str | None, float] | None,
    gsd: tuple[float | None, float | None] | None,
    condition: tuple[str, Holds] | None,
    query: np.ndarray,
) -> None:
    region, area = where or (None, None)
    since, until = (START + timedelta(days=day) for day in sorted(period)) if period else (None, None)
    text, holds = condition or (None, None)
    conditions = Filter(region, category, since, until, gsd, text)
    if category == "absent":
        for store in (world, copy):
            with pytest.raises(InputError, match="no tile has the category 'absent'"):
                nearest_tiles(store, query, filter=conditions, k=k, min_score=min_score, category_offsets=weights)
        return
    answer = nearest_tiles(world, query, filter=conditions, k=k, min_score=min_score, category_offsets=weights)
    ids, scores, unembedded = _brute_force(
        query.astype(np.float64), area, category, since, until, min_score, weights, gsd, holds
    )
    hits = answer.hits
    assert [hit.id for hit in hits] == ids[:k]
    assert [hit.score for hit in hits] == pytest.approx(scores[:k], abs=1e-12)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert answer.plan.unembedded == unembedded
    assert answer.plan.tiles == len(ROWS)
    assert min_score is not None or answer.plan.matched == len(ids)
    assert answer.plan.exact
    copied = nearest_tiles(copy, query, filter=conditions, k=k, min_score=min_score, category_offsets=weights)
    assert copied.plan.method == "memory-mapped cache"
    assert (copied.plan.matched, copied.plan.unembedded) == (answer.plan.matched, answer.plan.unembedded)
    assert [(hit.id, hit.score) for hit in copied] == [(hit.id, hit.score) for hit in hits]
    found = iter_tiles(world, conditions)
    if min_score is None:
        assert len(list(found)) == len(ids) + unembedded


# -- one hit for each place ----------------------------------------------------------------------------------------


def _same_places() -> np.ndarray:
    """Which tiles show one place, in an equal-area projection: at least 6/13 of the smaller one lies in the other."""
    project = Transformer.from_crs(4326, 6933, always_xy=True).transform
    flat = shapely.transform(
        np.array([row.geometry for row in ROWS], dtype=object), lambda xy: np.column_stack(project(*xy.T))
    )
    shared = shapely.area(shapely.intersection(flat[:, None], flat[None, :]))
    areas = shapely.area(flat)
    inside = shared / np.minimum(areas[:, None], areas[None, :])
    ratio = np.maximum(areas[:, None], areas[None, :]) / np.minimum(areas[:, None], areas[None, :])
    assert np.abs(inside - 6 / 13).min() > 1e-4, "none on the edge, where a sphere and an ellipsoid differ"
    same: np.ndarray = (inside >= 6 / 13) & (ratio <= 25)
    assert ((ratio > 1.5) & same).sum() > 50, "of different sizes too"
    assert ((inside == 1) & (ratio > 25)).sum() > 10, "and tiles in ones far larger, which are places of their own"
    overlaps = shared / (areas[:, None] + areas[None, :] - shared)
    assert (same == (overlaps >= 0.3))[np.abs(ratio - 1) < 1e-9].all(), "of one size, the intersection over union"
    return same


def _age(number: int) -> float:
    """Order tiles from the newest to the oldest, those without a date last."""
    moment = ROWS[number].datetime
    return -moment.timestamp() if moment else 1


@pytest.fixture(scope="module")
def same_places() -> np.ndarray:
    return _same_places()


@settings(max_examples=40, deadline=None)
@given(
    where=st.none() | regions(),
    k=st.none() | st.integers(1, 30),
    newest=st.booleans(),
    min_score=st.none() | st.floats(-0.5, 0.5),
    query=st.integers(0, 99).map(lambda n: unit(100, seed=5)[n]),
)
def test_one_hit_for_each_place(
    world: Store,
    same_places: np.ndarray,
    where: tuple[BBox | Region, shapely.Geometry] | None,
    k: int | None,
    newest: bool,
    min_score: float | None,
    query: np.ndarray,
) -> None:
    region, area = where or (None, None)
    ids, *_ = _brute_force(query.astype(np.float64), area, None, None, None, min_score, None, None, None)
    number = {row.id: n for n, row in enumerate(ROWS)}
    order = [number[name] for name in ids]
    if newest:
        order.sort(key=_age)
    kept: list[int] = []
    for n in order:
        if not same_places[n, kept].any():
            kept.append(n)
    expected = [name for name in ids if number[name] in kept]
    places: Literal["best", "newest"] = "newest" if newest else "best"
    answer = nearest_tiles(world, query, filter=Filter(region), k=k, min_score=min_score, keep=places)
    assert [hit.id for hit in answer] == expected[:k]
    if expected:
        last = len(ids) if len(answer) == len(expected) != k else ids.index(expected[: len(answer)][-1]) + 1
        assert answer.plan.hidden == last - len(answer)


# -- what a hit carries ----------------------------------------------------------------------------------------------


def test_a_hit_carries_all_that_the_store_knows(tmp_path: Path) -> None:
    rows = [
        tile(
            1, west=3, category="forest", fractions={"tree": 0.7, "water": 0.3}, captions=["a", "b"], thumbnail=b"png"
        ),
        tile(2, west=4, scene_id="unfinished"),
    ]
    store = filled(tmp_path / "store", [], None)
    store.add_encoder(ENCODER)
    store.add_tiles(rows, unit(2))
    store.add_scene(scene(0, id=rows[0].scene_id))
    first, second = sorted(nearest_tiles(store, unit(2)[0]), key=lambda hit: hit.id)
    assert first.rank == 1
    assert first.score == pytest.approx(1, abs=1e-3)
    assert first.geometry.equals(rows[0].geometry)
    assert (first.category, first.fractions, first.captions) == ("forest", {"tree": 0.7, "water": 0.3}, ("a", "b"))
    assert (first.uri, first.thumbnail, first.gsd) == ("/data/scene 0.tif", b"png", 28.5)
    assert (second.uri, second.category, second.fractions, second.captions) == (None, None, {}, ())
    assert second.datetime is None
    assert [(hit.rank, hit.score) for hit in iter_tiles(store)] == [(1, None), (2, None)]


def test_dates_include_their_whole_day(tmp_path: Path) -> None:
    hours = [datetime(2020, 5, day, hour, tzinfo=UTC) for day in (1, 2, 3) for hour in (0, 12, 23)]
    store = filled(tmp_path / "store", [tile(n, datetime=moment) for n, moment in enumerate(hours)], unit(9))
    found = nearest_tiles(store, unit(1)[0], filter=Filter(since=date(2020, 5, 2), until=date(2020, 5, 2)))
    assert sorted((hit.datetime for hit in found), key=str) == hours[3:6]


def test_the_answer_does_not_change_under_the_reader(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(5)], unit(5))
    answer = nearest_tiles(store, unit(1)[0], k=None)
    Store.open(store.path).add_tiles([tile(n) for n in range(5, 50)], unit(45))
    assert len(answer.hits) == 5
    assert len(nearest_tiles(store, unit(1)[0], k=None)) == 50, "the next one sees what another process wrote"


def test_a_cache_answers_only_for_its_own_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geocmer.store.mmap_cache.CACHE_MIN_ROWS", 5)
    store = filled(tmp_path / "store", [tile(n, west=n) for n in range(9)], unit(9))
    place = tmp_path / "store" / mmap_cache.FOLDER
    small = Filter(BBox(0, 0, 2, 1))
    assert nearest_tiles(store, unit(9)[3], filter=small).plan.method == "LanceDB scan", "a small search needs none"
    assert not place.exists()
    answer = nearest_tiles(store, unit(9)[3])
    assert answer.plan.method == "memory-mapped cache"
    assert nearest_tiles(Store.open(store.path), unit(9)[3], filter=small).plan.method == "memory-mapped cache"
    changes: list[Callable[[], object]] = [
        lambda: store.add_tiles([tile(9, category="new")], unit(9)[3:4]),
        lambda: store.set_categories([tile(2).id], ["new"], [{"water": 1.0}], [None]),
        lambda: store.set_vectors(ENCODER, [tile(4).id], unit(9)[3:4]),
        lambda: store.reembed(OTHER, lambda keys: unit(10, OTHER.dim)[[key.row for key in keys]]),
    ]
    for change in changes:
        before = list(place.iterdir())
        change()
        query = unit(9)[3] if store.encoder == ENCODER else unit(10, OTHER.dim)[3]
        assert mmap_cache.find_cache(store.snapshot()) is None
        assert mmap_cache.stale_folders(store.snapshot()) == before
        again = nearest_tiles(store, query, k=None)
        assert again.plan.method == "memory-mapped cache"
        monkeypatch.setattr("geocmer.store.mmap_cache.CACHE_MIN_ROWS", 500)
        shutil.rmtree(place)
        plain = nearest_tiles(Store.open(store.path), query, k=None)
        assert plain.plan.method == "LanceDB scan"
        assert [(h.id, h.score, h.category) for h in again] == [(h.id, h.score, h.category) for h in plain]
        monkeypatch.setattr("geocmer.store.mmap_cache.CACHE_MIN_ROWS", 5)
        nearest_tiles(Store.open(store.path), query)
        assert len(list(place.iterdir())) == 1, "those of other versions are cleared"
    assert len(answer.hits) == 9, "who began to read before goes on"


@pytest.mark.parametrize(
    "read",
    [
        lambda store: mmap_cache.build_cache(store.snapshot()),
        lambda store: nearest_tiles(store, unit(1)[0], k=None, filter=Filter(category="wood")),
        lambda store: score_tiles(store.snapshot(), Filter(), unit(2).astype(float)).hit_mask(Filter(category="wood")),
        lambda store: sum(1 for _ in iter_tiles(store)),
    ],
    ids=["cache", "search", "scan", "iter_tiles"],
)
def test_a_batch_is_let_go_when_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Store], object]
) -> None:
    """What is kept of a batch is a copy: a view of one column would keep the vectors beside it in memory."""
    rows = [tile(n, west=n / 10, fractions={"water": n / 64}, category="wood") for n in range(60)]
    store = filled(tmp_path / "store", rows, unit(60))
    alive: list[weakref.ref[np.ndarray]] = []
    plain = Snapshot.scan

    def watched(snapshot: Snapshot, *asked: Any) -> Iterator[pa.RecordBatch]:
        """Batches whose columns all lie in one block of memory, as they do when Lance has read them."""
        for batch in plain(snapshot, *asked):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            memory = np.frombuffer(sink.getvalue(), np.uint8).copy()
            alive.append(weakref.ref(memory))
            block = pa.py_buffer(memory)
            del memory, batch
            yield pa.ipc.open_stream(block).read_next_batch()
            del block
            gc.collect()
            assert sum(one() is not None for one in alive) <= 1, "at most the one that the reader still names"

    monkeypatch.setattr(Snapshot, "scan", watched)
    monkeypatch.setattr("geocmer.store.snapshot.BATCH_ROWS", 4)
    gc.collect()
    gc.freeze()  # a collection looks at what is new since then, not at all that other tests have imported
    try:
        read(store)
    finally:
        gc.unfreeze()
    assert len(alive) >= 15


@pytest.mark.parametrize("damage", ["vectors.npy", "names.json", "cover_rows.npy"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setattr("geocmer.store.mmap_cache.CACHE_MIN_ROWS", 5)
    rows = [tile(n, fractions={"water": n / 8}) for n in range(8)]
    store = filled(tmp_path / "store", rows, unit(8))
    before = nearest_tiles(store, unit(1)[0], filter=Filter(where="water > 0.5")).hits
    (file,) = (tmp_path / "store" / mmap_cache.FOLDER).glob(f"*/{damage}")
    file.write_bytes(b"")
    again = nearest_tiles(Store.open(store.path), unit(1)[0], filter=Filter(where="water > 0.5"))
    assert again.plan.method == "memory-mapped cache"
    assert again.hits == before


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geocmer.store.mmap_cache.CACHE_MIN_ROWS", 5)
    store = filled(tmp_path / "store", [tile(n) for n in range(8)], unit(8))
    monkeypatch.setattr(np, "save", _full)
    answer = nearest_tiles(store, unit(1)[0])
    assert answer.plan.method == "LanceDB scan"
    assert len(answer.hits) == 8
    assert list((tmp_path / "store" / mmap_cache.FOLDER).iterdir()) == [], "nothing half made stays"


def _full(*args: object, **kwargs: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_empty_store_answers_with_nothing(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    store.add_encoder(ENCODER)
    assert nearest_tiles(store, unit(1)[0], filter=Filter(BBox(170, -10, -170, 10))).hits == []
    assert list(iter_tiles(store)) == []
    with pytest.raises(InputError, match="no tile has one"):
        list(iter_tiles(store, Filter(category="x")))


# -- what cannot be asked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "asked", "says"),
    [
        (unit(1, DIM + 1)[0], {}, r"shape \(9,\) does not fit fake"),
        (unit(2), {}, "shape"),
        (np.zeros(DIM), {}, "zero or not finite"),
        (np.full(DIM, np.nan), {}, "zero or not finite"),
        (unit(1)[0], {"k": 0}, "k is 0; ask for at least 1"),
        (unit(1)[0], {"category_offsets": {"forest": math.nan}}, "offset of category 'forest' is nan"),
    ],
)
def test_bad_questions_are_refused(world: Store, query: np.ndarray, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        nearest_tiles(world, query, **asked)


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ({"since": datetime(2020, 1, 1)}, "no time zone"),  # noqa: DTZ001
        ({"since": date(2021, 1, 1), "until": date(2020, 1, 1)}, "later than until"),
        ({"gsd": (10, 1)}, "gsd 10 is coarser than 1"),
        ({"gsd": (-1, None)}, "give positive numbers"),
        ({"where": "lava > 0.1"}, "no tile has a land-cover class 'lava'; the store knows: .*built_up"),
        ({"where": "built_up"}, "'built_up' needs a comparison"),
        ({"where": "built_up > 30"}, "30 is more than the whole tile"),
        ({"where": "(built_up > 0.3"}, "ends where something was expected"),
        ({"where": "built_up > 0.3 water < 1"}, "cannot read 'water < 1'"),
        ({"where": "built_up > 0.3; drop"}, "cannot read '; drop'"),
        ({"where": "  "}, "ends where something was expected"),
    ],
)
def test_bad_filters_are_refused(world: Store, conditions: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        nearest_tiles(world, unit(1)[0], filter=Filter(**conditions))


def test_a_store_without_vectors_says_how_to_get_them(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(1)], None)
    with pytest.raises(StoreError, match="no vectors yet; run `geocmer embed"):
        nearest_tiles(store, unit(1)[0])


def test_another_encoder_is_refused(world: Store) -> None:
    assert len(nearest_tiles(world, unit(1)[0], fingerprint=ENCODER.fingerprint)) == 10
    with pytest.raises(FingerprintError):
        nearest_tiles(world, unit(1)[0], fingerprint=OTHER.fingerprint)


@pytest.mark.parametrize("word", [*NASTY, "' OR 1=1 --", "category", "absent"])
def test_a_category_means_only_itself(world: Store, word: str) -> None:
    before = contents(world)
    if word in NASTY:
        hits = nearest_tiles(world, unit(1)[0], filter=Filter(category=word), k=None)
        assert {hit.category for hit in hits} == {word}
    else:
        with pytest.raises(InputError, match="no tile has the category"):
            nearest_tiles(world, unit(1)[0], filter=Filter(category=word), k=None)
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
    topk = TopK(unit(1, seed=seed + 2)[0].astype(np.float64), k, None)
    for start in range(0, 100, step):
        part = slice(start, start + step)
        topk.push(vectors[part], np.arange(100, dtype=np.uint64)[part], ids[part].__getitem__)
    rows, scores = topk.ranked()
    exact = (vectors.astype(np.float64) * topk.query).sum(axis=1)
    expected = np.lexsort((ids, -exact))[:k]
    assert rows.tolist() == expected.tolist()
    assert scores.tolist() == exact[expected].tolist()


def test_only_footprints_on_the_edge_are_looked_at() -> None:
    shapes = np.array([shapely.box(x, y, x + 1, y + 1) for x in range(30) for y in range(30)], dtype=object)
    for region in (BBox(5.5, 5.5, 15.5, 15.5).to_shapely(), shapely.Point(15, 15).buffer(8)):
        asked: list[int] = []

        def footprints(rows: np.ndarray, asked: list[int] = asked) -> np.ndarray:
            asked.extend(rows.tolist())
            return shapes[rows]

        found = inside(Region(region, "a test"), shapely.bounds(shapes), footprints)
        assert (found == shapely.intersects(region, shapes)).all()
        assert len(asked) < found.sum() / 2


def test_a_region_of_many_parts_is_still_a_short_filter() -> None:
    dots_ = shapely.MultiPolygon([shapely.box(x, 0, x + 0.1, 0.1) for x in range(100)])
    where = Filter(Region(dots_, "a test")).prefilter(lambda: (0.1, 0.1, 180.0))
    assert where is not None
    assert len(str(where)) < 2000
