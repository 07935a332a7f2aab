from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import DIM, ENCODER, NASTY, OTHER, contents, filled, scene, tile, unit
from world import GSD, ROWS, START, Holds, brute_force, conditions, regions

from geocmer.errors import FingerprintError, InputError, StoreError
from geocmer.geometry.bbox import BBox
from geocmer.geometry.region import Region
from geocmer.search.vector_search import iter_tiles, nearest_tiles
from geocmer.store.filter import Filter
from geocmer.store.store import Store


@settings(max_examples=examples(40))
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
    cached_world: Store,
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
        for store in (world, cached_world):
            with pytest.raises(InputError, match="no tile has the category 'absent'"):
                nearest_tiles(store, query, filter=conditions, k=k, min_score=min_score, category_offsets=weights)
        return
    answer = nearest_tiles(world, query, filter=conditions, k=k, min_score=min_score, category_offsets=weights)
    ids, scores, unembedded = brute_force(
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
    copied = nearest_tiles(cached_world, query, filter=conditions, k=k, min_score=min_score, category_offsets=weights)
    assert copied.plan.method == "memory-mapped cache"
    assert (copied.plan.matched, copied.plan.unembedded) == (answer.plan.matched, answer.plan.unembedded)
    assert [(hit.id, hit.score) for hit in copied] == [(hit.id, hit.score) for hit in hits]
    found = iter_tiles(world, conditions)
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
