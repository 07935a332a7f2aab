"""Conditions in CQL2 text against their plainest reading: a tile at a time, in Python, with None for unknown."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import DIM, filled, footprint, tile, unit

from geocmer.errors import InputError
from geocmer.search.vector_search import iter_tiles
from geocmer.store import Filter, Store
from geocmer.store.mmap_cache import MmapCache, build_cache
from geocmer.store.schema import TileRow
from geocmer.store.where import Condition

START = datetime(2020, 1, 1, tzinfo=UTC)
CATEGORIES = ["forest", "Forest", "water", "x' OR '1'='1", "100%_\\", None]
LABELS = ["Tree cover", "Built-up", "Permanent water bodies"]
CLASSES = {"forest": 0, '"Tree cover"': 0, "built-up": 1, "built_up": 1, "'Permanent water bodies'": 2}
GSDS = [0.3, 1.2, 10.0, 28.1]


def _rows() -> list[TileRow]:
    rng = np.random.default_rng(7)
    rows = []
    for n in range(150):
        shares = rng.integers(0, 9, 3) / 24
        west = 179.5 + n / 100 if n < 50 else n / 10 - 10
        rows.append(
            tile(
                n,
                geometry=footprint(west if west < 180 else west - 360, 45 + n % 3, 0.08, 0.06, turn=n % 5 * 9),
                category=CATEGORIES[n % 6],
                datetime=None if n % 7 == 0 else START + timedelta(hours=12 * (n % 40)),
                gsd=GSDS[n % 4],
                fractions=None if n % 5 == 0 else dict(zip(LABELS, shares.tolist(), strict=True)),
            )
        )
    return rows


ROWS = _rows()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return filled(tmp_path_factory.mktemp("where") / "store", ROWS, unit(len(ROWS), DIM, seed=1))


@pytest.fixture(scope="module")
def cache(world: Store) -> MmapCache:
    made = build_cache(world.snapshot())
    assert made is not None
    return made


def found(world: Store, cache: MmapCache, text: str) -> list[int]:
    """The tiles that pass, which both plans agree on."""
    filter = Filter(where=text)
    scanned = [int(hit.id, 16) for hit in iter_tiles(world, filter)]
    mapped = [int(name, 16) for name in cache.ids[cache.select(filter)[0]]]
    assert sorted(scanned) == sorted(mapped)
    return sorted(scanned)


# -- one tile at a time ------------------------------------------------------------------------------------------------

Known = bool | None
Test = Callable[[TileRow], Known]
SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne}


def share(row: TileRow, name: str) -> float | None:
    return None if row.fractions is None else row.fractions[LABELS[CLASSES[name]]]


def near(a: float | None, sign: str, b: float | None) -> Known:
    if a is None or b is None:
        return None
    return SIGNS[sign](round((a - b) * 1e5), 0)  # twenty-fourths are equal, or apart by more


numbers = st.integers(0, 24).map(lambda n: n / 24)


@st.composite
def shares(draw: st.DrawFn) -> tuple[str, Test]:
    name, sign, least = draw(st.sampled_from(sorted(CLASSES))), draw(st.sampled_from(sorted(SIGNS))), draw(numbers)
    other = draw(st.sampled_from(sorted(CLASSES)))
    if "'" in name or draw(st.booleans()):
        return f"{name} {sign} {least!r}", lambda row: near(share(row, name), sign, least)
    if draw(st.booleans()):
        low, high = sorted([least, draw(numbers)])

        def within(row: TileRow) -> Known:
            value = share(row, name)
            return None if value is None else bool(near(value, ">=", low) and near(value, "<=", high))

        return f"{name} BETWEEN {low!r} AND {high!r}", within
    if "'" in other:
        return f"{name} IS NULL", lambda row: row.fractions is None

    def together(row: TileRow) -> Known:
        one, two = share(row, name), share(row, other)
        return None if one is None or two is None else near(one + two, sign, least)

    return f"{name} + {other} {sign} {least!r}", together


@st.composite
def categories(draw: st.DrawFn) -> tuple[str, Test]:
    def quoted(word: str) -> str:
        return "'" + word.replace("'", "''") + "'"

    words = [name for name in CATEGORIES if name is not None]
    word, other, sign = draw(st.sampled_from(words)), draw(st.sampled_from(words)), draw(st.sampled_from(sorted(SIGNS)))
    tests: list[tuple[str, Callable[[str], bool]]] = [
        (f"category {sign} {quoted(word)}", lambda name: SIGNS[sign](name, word)),
        (f"{quoted(word)} = category", lambda name: name == word),
        (f"category IN ({quoted(word)}, {quoted(other)})", lambda name: name in (word, other)),
        (f"CASEI(category) = CASEI({quoted(word)})", lambda name: name.casefold() == word.casefold()),
        ("category LIKE '%ore%'", lambda name: "ore" in name),
        ("category LIKE '_ater'", lambda name: name == "water"),
        ("category LIKE '100\\%%'", lambda name: name.startswith("100%")),
        ("CASEI(category) LIKE CASEI('FOR%')", lambda name: name.casefold().startswith("for")),
    ]
    text, holds = draw(st.sampled_from(tests))
    if draw(st.integers(0, 8)) == 0:
        return "category IS NOT NULL", lambda row: row.category is not None
    return text, lambda row: None if row.category is None else holds(row.category)


@st.composite
def times(draw: st.DrawFn) -> tuple[str, Test]:
    day = date(2020, 1, 1) + timedelta(days=draw(st.integers(-1, 21)))
    last = day + timedelta(days=draw(st.integers(0, 8)))
    moment = START + timedelta(hours=6 * draw(st.integers(0, 80)))
    sign = draw(st.sampled_from(sorted(SIGNS)))
    stamp, first = moment.isoformat().replace("+00:00", "Z"), datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, 23, 59, 59, 999999, tzinfo=UTC)
    span = f"INTERVAL('{day}', '{last}')"
    tests: list[tuple[str, Callable[[datetime], bool]]] = [
        (f"datetime {sign} TIMESTAMP('{stamp}')", lambda at: SIGNS[sign](at, moment)),
        (f"datetime {sign} DATE('{day}')", lambda at: SIGNS[sign](at.date(), day)),
        (f"DATE('{day}') {sign} datetime", lambda at: SIGNS[sign](day, at.date())),
        (f"datetime {sign} '{day}'", lambda at: SIGNS[sign](at.date(), day)),
        (f"datetime BETWEEN DATE('{day}') AND DATE('{last}')", lambda at: day <= at.date() <= last),
        (f"T_AFTER(datetime, DATE('{day}'))", lambda at: at.date() > day),
        (f"T_BEFORE(datetime, TIMESTAMP('{stamp}'))", lambda at: at < moment),
        (f"T_AFTER(TIMESTAMP('{stamp}'), datetime)", lambda at: moment > at),
        (f"T_DURING(datetime, {span})", lambda at: first < at < end),
        (f"T_INTERSECTS(datetime, {span})", lambda at: first <= at <= end),
        (f"T_DISJOINT({span}, datetime)", lambda at: not first <= at <= end),
        (f"T_INTERSECTS(datetime, INTERVAL('{day}', '..'))", lambda at: first <= at),
        (f"T_EQUALS(datetime, TIMESTAMP('{stamp}'))", lambda at: at == moment),
        (f"T_STARTS(datetime, {span})", lambda at: at == first),
        (f"T_CONTAINS({span}, datetime)", lambda at: first < at < end),
    ]
    text, holds = draw(st.sampled_from(tests))
    if draw(st.integers(0, 8)) == 0:
        return "datetime IS NULL", lambda row: row.datetime is None
    return text, lambda row: None if row.datetime is None else holds(row.datetime)


@st.composite
def places(draw: st.DrawFn) -> tuple[str, Test]:
    west, south = draw(st.floats(-12, 6).map(lambda x: round(x, 3))), draw(st.floats(44.5, 47))
    area = shapely.box(west, south, west + draw(st.floats(0.05, 3)), south + 1)
    shape = draw(st.sampled_from([area, shapely.Point(west, south), shapely.LineString([(west, 44), (west + 3, 48)])]))
    wrapped = shapely.MultiPolygon([shapely.box(179, 44, 180, 46.02), shapely.box(-180, 44, -179.8, 46.02)])
    tests: list[tuple[str, Callable[[Any], bool]]] = [
        (f"S_INTERSECTS(geometry, {shape.wkt})", lambda tile: tile.intersects(shape)),
        (f"S_DISJOINT({shape.wkt}, geometry)", lambda tile: tile.disjoint(shape)),
        (f"S_WITHIN(geometry, {area.wkt})", lambda tile: tile.within(area)),
        (f"S_CONTAINS({area.wkt}, geometry)", area.contains),
        (f"S_OVERLAPS(geometry, {area.wkt})", lambda tile: tile.overlaps(area)),
        (
            f"S_CROSSES(LINESTRING({west} 44, {west + 3} 48), geometry)",
            lambda tile: shapely.LineString([(west, 44), (west + 3, 48)]).crosses(tile),
        ),
        (f"S_INTERSECTS(geometry, BBOX({','.join(map(repr, area.bounds))}))", lambda tile: tile.intersects(area)),
        ("S_INTERSECTS(geometry, BBOX(179, 44, -179.8, 46.02))", lambda tile: tile.intersects(wrapped)),
    ]
    text, holds = draw(st.sampled_from(tests))
    return text, lambda row: bool(holds(row.geometry))


@st.composite
def resolutions(draw: st.DrawFn) -> tuple[str, Test]:
    sign, metres = draw(st.sampled_from(sorted(SIGNS))), draw(st.sampled_from([*GSDS, 5.0]))
    return f"gsd {sign} {metres!r}", lambda row: SIGNS[sign](row.gsd, metres)


def _not(test: Test) -> Test:
    return lambda row: None if test(row) is None else not test(row)


def _and(one: Test, two: Test) -> Test:
    def both(row: TileRow) -> Known:
        a, b = one(row), two(row)
        return False if a is False or b is False else None if a is None or b is None else True

    return both


def _or(one: Test, two: Test) -> Test:
    return _not(_and(_not(one), _not(two)))


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> tuple[str, Test]:
    kind = draw(st.sampled_from(["one", "one", "not", "and", "or"])) if depth else "one"
    if kind == "one":
        return draw(st.one_of(shares(), categories(), times(), places(), resolutions()))
    text, test = draw(conditions(depth - 1))
    if kind == "not":
        return f"NOT ({text})", _not(test)
    other, second = draw(conditions(depth - 1))
    return f"({text}) {kind} ({other})", (_and if kind == "and" else _or)(test, second)


@settings(max_examples=150, deadline=None)
@given(conditions())
def test_a_condition_means_what_it_says_of_one_tile(
    world: Store, cache: MmapCache, condition: tuple[str, Test]
) -> None:
    text, holds = condition
    assert found(world, cache, text) == [n for n, row in enumerate(ROWS) if holds(row) is True]


# -- what was valid before ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "plain"),
    [
        ("built-up > .25", '"Built-up" > 0.25'),
        ("BUILT_UP >= 1.e-1", '"Built-up" >= 0.1'),
        ("S_INTERSECTS(geometry, POINT(3e-2 4.603e1))", "S_INTERSECTS(geometry, POINT(0.03 46.03))"),
        ("forest == 0.25", '"Tree cover" = 0.25'),
        ("forest != 2.5e-1", 'NOT "Tree cover" = 0.25'),
        ("'Tree cover'>0.1 AND Not(built_up<0.1)or forest=0", '("Tree cover" > 0.1 and built_up >= 0.1) or forest = 0'),
        ("not not forest > 0.1", "forest > 0.1"),
    ],
)
def test_what_could_be_written_before(world: Store, cache: MmapCache, before: str, plain: str) -> None:
    assert found(world, cache, before) == found(world, cache, plain)
    assert 0 < len(found(world, cache, before)) < len(ROWS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "forrest > 0.1",
            "no tile has a land-cover class 'forrest'; the store knows: built_up, permanent_water_bodies, ",
        ),
        ("forrest > 0.1", "every tile can be asked for category, datetime, gsd, geometry"),
        ("category = 'forrest'", "no tile has the category 'forrest'; did you mean 'forest'"),
        ("category in ('water', 'lake') and gsd > 100", "no tile has the category 'lake'"),
        ("category > 0.3", "'category' and 0.3 cannot be compared"),
        ("forest = 'x'", "no tile has a land-cover class 'x'"),
        ("datetime > DATE('2020-13-01')", "'2020-13-01' is no date or time"),
        ("datetime > 'yesterday'", "'yesterday' is no date or time"),
        ("T_DURING(datetime, INTERVAL('2021-01-01', '2020-01-01'))", "ends before it begins"),
        ("T_AFTER(category, DATE('2020-01-01'))", "T_AFTER relates times"),
        ("S_INTERSECTS(geometry, geometry)", "S_INTERSECTS relates geometry with a geometry"),
        ("S_INTERSECTS(geometry, POINT(0 95))", "not in degrees"),
        ("S_INTERSECTS(geometry, POLYGON((500000 4e6, 600000 4e6, 6e5 5e6, 500000 4e6)))", "not in degrees"),
        ("category = NULL", "write for instance 'category IS NULL'"),
        ("forest", "'forest' needs a comparison"),
        ("forest > 0.1 and", "ends where"),
        ("forest > 1.5", "more than the whole tile"),
        ("forest between 0.1 and 30", "more than the whole tile"),
        ("forest > -0.5", "less than nothing"),
        ("forest ^ 2 > 0.1", "'^' gives no number"),
        ("buffer(geometry, 5) = 3", "'buffer' gives no number"),
        ("a_equals(category, category)", "'a_equals' cannot be asked of tiles"),
        ("(" * 60 + "forest > 0" + ")" * 60, "more than 50 brackets"),
        ("not " * 60 + "forest > 0", "more than 50 brackets"),
        ("(" * 100_000, "more than 50 brackets"),
        ("forest > 0 " * 20_000, "characters"),
        ("0.5", "is neither true nor false"),
        ("forest > 0.1; drop table tiles", "cannot read"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(world: Store, text: str, says: str) -> None:
    with pytest.raises(InputError) as refusal:
        list(iter_tiles(world, Filter(where=text)))
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["forest", ">", "0.1", "and", "not", "(", ")", "'", '"', "datetime", "IN", "DATE(", ","])
        | st.text(max_size=4),
        max_size=12,
    ).map(" ".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        assert Condition.parse(text) == Condition.parse(text)


def test_a_thousand_terms_are_no_depth(world: Store, cache: MmapCache) -> None:
    text = " or ".join(f"forest = {n / 1000}" for n in range(1001))
    expected = [
        n
        for n, row in enumerate(ROWS)
        if row.fractions
        and math.isclose(round(row.fractions[LABELS[0]] * 1000), row.fractions[LABELS[0]] * 1000, abs_tol=1e-3)
    ]
    assert found(world, cache, text) == expected


def test_unknown_is_not_false(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(1, category="forest"), tile(2, fractions={"Tree cover": 0.5})], None)

    def passing(text: str) -> list[int]:
        return [int(hit.id, 16) for hit in iter_tiles(store, Filter(where=text))]

    assert passing("forest > 0.1") == passing("not forest < 0.1") == [2]
    assert passing("forest > 0.1 or category = 'forest'") == [1, 2]
    assert passing("not (forest > 0.9 and category = 'forest')") == [2]
    assert passing("forest is null and category is not null") == [1]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "a > 0" + ")" * 5000,
        "not " * 5000 + "a > 0",
        "a > " + "9" * 5000 + "x",
        " and ".join(["a > 0"] * 5000) + " and",
        "a > 0 or \x1b[31m",
    ],
    ids=["brackets", "nots", "digits", "ands", "escape"],
)
def test_a_condition_that_is_none_is_one_short_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Condition.parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
