"""Conditions in CQL2 text against their plainest reading: a tile at a time, in Python, with None for unknown."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import pytest
from conditions import LABELS, ROWS, Test, conditions
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import DIM, filled, tile, unit

from geocmer.errors import InputError
from geocmer.search.vector_search import iter_tiles
from geocmer.store import Filter, Store
from geocmer.store.mmap_cache import MmapCache, build_cache
from geocmer.store.where import Condition


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


@settings(max_examples=examples(60))
@given(conditions())
def test_a_condition_means_what_it_says_of_one_tile(
    world: Store, cache: MmapCache, condition: tuple[str, Test]
) -> None:
    text, holds = condition
    assert found(world, cache, text) == [n for n, row in enumerate(ROWS) if holds(row) is True]


# -- what was valid before ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("forest ^ 2 > 0.1", "forest * forest > 0.1"),
        ("gsd div 10 = 1", "gsd >= 10 and gsd < 20"),
        ("size in (64, 128)", "size = 64 or size = 128"),
        ("gsd % 2 < 1", "gsd - 2 * (gsd div 2) < 1"),
        ("GSD > 5 and CATEGORY = 'forest'", "gsd > 5 and category = 'forest'"),
        ("Datetime > DATE('2020-01-10')", "datetime > DATE('2020-01-10')"),
    ],
)
def test_the_same_in_other_words(world: Store, cache: MmapCache, text: str, plain: str) -> None:
    assert found(world, cache, text) == found(world, cache, plain)
    assert 0 < len(found(world, cache, text)) < len(ROWS)


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
        ("forrest > 0.1", "every tile can be asked for category, datetime, gsd, size, geometry"),
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
        ("accenti(gsd) > 0.1", "'accenti' gives no number"),
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


@settings(max_examples=examples(100))
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
