"""Conditions drawn at random, each with its meaning for one tile, and tiles to ask."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import shapely
from hypothesis import strategies as st
from synthetic import footprint, tile

from geocmer.store.schema import TileRow

START = datetime(2020, 1, 1, tzinfo=UTC)
CATEGORIES = ["forest", "Forest", "water", "x' OR '1'='1", "100%_\\", None]
LABELS = ["Tree cover", "Built-up", "Permanent water bodies"]
CLASSES = {"forest": 0, '"Tree cover"': 0, "built-up": 1, "built_up": 1, "'Permanent water bodies'": 2}
GSDS = [0.3, 1.2, 10.0, 28.1]
SIZES = [64, 128, 256]


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
    return [replace(row, size=SIZES[n // 4 % 3]) for n, row in enumerate(rows)]


ROWS = _rows()
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
    pixels = draw(st.sampled_from([*SIZES, 100]))
    if draw(st.booleans()):
        return f"size {sign} {pixels}", lambda row: SIGNS[sign](row.size, pixels)
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
