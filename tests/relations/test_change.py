"""Change between two times: a constructed store with known answers, and brute force over all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import DIM, ENCODER, filled, footprint, tile, unit

from geocmer.errors import InputError
from geocmer.export import attributes
from geocmer.geometry.bbox import BBox
from geocmer.relations.change import change_notes, find_change
from geocmer.relations.periods import Periods, pair_remark
from geocmer.search.probability import Calibration
from geocmer.store import Filter, Store, mmap_cache

SITE, FIELD = np.eye(DIM, dtype=np.float32)[:2]
CALIBRATION = Calibration(np.zeros(DIM), 10.0, -5.0)
IN_2009, IN_2015, IN_2020 = (datetime(year, 7, 1, tzinfo=UTC) for year in (2009, 2015, 2020))
PERIODS = Periods.of("2009", "2020")


def encode(texts: Any) -> np.ndarray:
    return np.array([SITE for _ in texts])


def mixed(share: float) -> np.ndarray:
    """A unit vector whose cosine with a construction site is `share`."""
    return share * SITE + np.sqrt(1 - share**2) * FIELD


def store_of(folder: Path, places: Sequence[tuple[Any, datetime | None, float]]) -> Store:
    rows = [tile(n, geometry=shape, datetime=time) for n, (shape, time, _) in enumerate(places)]
    return filled(folder / "store", rows, np.array([mixed(share) for *_, share in places], np.float32))


def found(store: Store, **options: Any) -> list[tuple[int, int]]:
    options = {"calibration": CALIBRATION, "k": None, **options}
    answer = find_change(store, "site", encode, options.pop("periods", PERIODS), **options)
    return [(int(hit.id, 16), int(hit.partners[0].id, 16)) for hit in answer]


def at(lon: float, size: float = 0.1) -> Any:
    return footprint(lon, 0, size, size)


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """From west to east: built, half built, gone, there, never there, seen once, between the times, no date, beside."""
    places: list[tuple[Any, datetime | None, float]] = [
        (at(0), IN_2009, 0.1), (at(0), IN_2020, 0.9),
        (at(1), IN_2009, 0.4), (at(1.03), IN_2020, 0.8),
        (at(2), IN_2009, 0.9), (at(2), IN_2020, 0.1),
        (at(3), IN_2009, 0.9), (at(3), IN_2020, 0.9),
        (at(4), IN_2009, 0.1), (at(4), IN_2020, 0.1),
        (at(5), IN_2020, 0.9),
        (at(6), IN_2015, 0.1), (at(6), IN_2020, 0.9),
        (at(7), None, 0.1), (at(7), IN_2020, 0.9),
        (at(8), IN_2009, 0.1), (at(8.08), IN_2020, 0.9),
    ]  # fmt: skip
    return store_of(tmp_path_factory.mktemp("change"), places)


def test_what_is_new_and_what_is_gone(row: Store) -> None:
    assert found(row) == [(1, 0), (3, 2)]
    assert found(row, gone=True) == [(4, 5)]
    assert found(row, k=1) == [(1, 0)]
    assert found(row, min_score=0.9) == [(1, 0)]


def test_a_hit_tells_both_times_and_the_calibrated_difference(row: Store) -> None:
    hit = find_change(row, "site", encode, PERIODS, calibration=CALIBRATION)[0]
    (partner,) = hit.partners
    later, earlier = (1 / (1 + np.exp(5 - 10 * share)) for share in (0.9, 0.1))
    assert hit.score == pytest.approx(later - earlier, abs=2e-3)
    assert hit.probability == pytest.approx(later * (1 - earlier), abs=2e-3)
    assert partner.score == pytest.approx(earlier, abs=2e-3)
    assert (hit.datetime, partner.relation, partner.distance_m) == (IN_2020, "earlier, 2009-07-01", 0.0)
    assert attributes(hit)["partners"] == [partner.attributes()]
    gone = find_change(row, "site", encode, PERIODS, gone=True, calibration=CALIBRATION)[0]
    assert (gone.datetime, gone.partners[0].relation) == (IN_2009, "later, 2020-07-01")


def test_the_times_may_be_months_and_days(row: Store) -> None:
    assert set(found(row, periods=Periods.of("2015", "2020-07"))) == {(1, 0), (12, 11), (3, 2)}
    assert found(row, periods=Periods.of("2009", "2020-08")) == []
    assert Periods.of("2008-02", "2008-03").earlier.until == date(2008, 2, 29)
    for before, after in (
        ("2020", "2009"),
        ("2009", "2009"),
        ("2009-02-30", "2020"),
        ("2009-00", "2020"),
        ("2009-07-00", "2020"),
        ("", "2020"),
        ("last year", "2020"),
    ):
        with pytest.raises(InputError):
            Periods.of(before, after)


def test_of_several_pictures_the_one_that_overlaps_most_counts_and_of_equal_ones_that_which_shows_it(
    tmp_path: Path,
) -> None:
    earlier = datetime(2008, 1, 1, tzinfo=UTC)
    places = [(at(0), IN_2009, 0.1), (at(0), earlier, 0.5), (at(0.02), IN_2009, 0.8), (at(0), IN_2020, 0.9)]
    assert found(store_of(tmp_path, places)) == [(3, 1)]


def test_across_180_degrees(tmp_path: Path) -> None:
    store = store_of(tmp_path, [(at(179.95), IN_2009, 0.1), (at(179.96), IN_2020, 0.9), (at(-179.99), IN_2020, 0.9)])
    assert found(store, keep=None) == [(1, 0)]


def test_conditions_hold_for_the_hit_and_dates_are_refused(row: Store) -> None:
    assert found(row, filter=Filter(BBox(0.9, -1, 1.5, 1))) == [(3, 2)]
    with pytest.raises(InputError, match="since and until"):
        found(row, filter=Filter(since=date(2000, 1, 1)))
    with pytest.raises(InputError, match="at least 1"):
        found(row, k=0)


def test_other_seasons_and_sensors_are_said(tmp_path: Path) -> None:
    assert pair_remark(IN_2020, IN_2009, 1, 1) == "2009-07-01"
    assert pair_remark(IN_2020, datetime(2009, 1, 1, tzinfo=UTC), 1, 1) == "2009-01-01, other season"
    assert pair_remark(datetime(2020, 12, 20, tzinfo=UTC), datetime(2009, 1, 10, tzinfo=UTC), 1, 1) == "2009-01-10"
    assert pair_remark(IN_2020, IN_2009, 10, 30) == "2009-07-01, other sensor (30 m, 10 m)"
    store = store_of(tmp_path, [(at(0), datetime(2009, 1, 1, tzinfo=UTC), 0.1), (at(0), IN_2020, 0.9)])
    answer = find_change(store, "site", encode, PERIODS, calibration=CALIBRATION)
    assert list(change_notes(answer)) == ["1 of the first 1 pairs differ in season or sensor; see the remark of each"]
    assert "no place" in next(change_notes(find_change(store, "site", encode, PERIODS, gone=True)))


def test_without_a_calibration_there_is_an_order_and_no_probability(row: Store) -> None:
    answer = find_change(row, "site", lambda texts: unit(len(texts)) if len(texts) > 1 else encode(texts), PERIODS)
    assert [int(hit.id, 16) for hit in answer][:1] == [1]
    assert {hit.probability for hit in answer} == {None}


COUNT = 260
RNG = np.random.default_rng(7)
SHARES = RNG.random(COUNT).round(2)
SHAPES = [
    footprint(lon, lat, side, side, turn)
    for lon, lat, turn, side in zip(
        179.7 + RNG.integers(0, 12, COUNT) * 0.05, RNG.integers(0, 6, COUNT) * 0.05, RNG.integers(0, 2, COUNT) * 8.0,
        RNG.choice([0.1, 0.14], COUNT), strict=True,
    )
]  # fmt: skip
TIMES = [(IN_2009, IN_2015, IN_2020, None)[n] for n in RNG.integers(0, 4, COUNT)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Store:
    places = list(zip(SHAPES, TIMES, SHARES.tolist(), strict=True))
    return store_of(tmp_path_factory.mktemp("world"), places)


def brute_force(periods: Periods, gone: bool) -> dict[int, float]:
    """Every tile with a partner -> p less that of the other time's tile of its size that overlaps it most."""
    vectors = np.array([mixed(share) for share in SHARES]).astype(np.float32).astype(np.float16).astype(float)
    p = 1 / (1 + np.exp(5 - 10 * vectors[:, 0]))
    moved = [shapely.transform(s, lambda xy: np.column_stack([xy[:, 0] % 360, xy[:, 1]])) for s in SHAPES]
    whole = [shapely.unary_union([shapely.set_precision(part, 1e-9) for part in shapely.get_parts(s)]) for s in moved]
    until, since = periods.earlier.until, periods.later.since
    assert until
    assert since
    early = [n for n, t in enumerate(TIMES) if t and t.date() <= until]
    late = [n for n, t in enumerate(TIMES) if t and t.date() >= since]
    scores = {}
    for a in early if gone else late:
        same = []
        for b in late if gone else early:
            shared = whole[a].intersection(whole[b]).area
            share = shared / (whole[a].area + whole[b].area - shared)
            smaller, larger = sorted((whole[a].area, whole[b].area))
            if share >= 0.3 and larger <= 1.5 * smaller:
                same.append((round(share, 3), p[b]))
        if same and p[a] > max(same)[1]:
            scores[a] = p[a] - max(same)[1]
    return scores


@settings(max_examples=examples(8))
@given(
    times=st.sampled_from([("2009", "2015"), ("2009", "2020"), ("2015", "2020")]),
    gone=st.booleans(),
    k=st.none() | st.integers(1, 15),
    least=st.sampled_from([0.0, 0.2]),
    cached=st.booleans(),
)
def test_it_is_brute_force(
    world: Store, times: tuple[str, str], gone: bool, k: int | None, least: float, cached: bool
) -> None:
    periods = Periods.of(*times)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mmap_cache, "CACHE_MIN_ROWS", 1 if cached else 10**9)
        patch.setattr("geocmer.relations.relation_topk.FIRST_BLOCK_TILES", 4)
        patch.setattr("geocmer.relations.change.MAX_PAIRS", 7)
        answer = find_change(
            world, "site", encode, periods, gone=gone, k=k, min_score=least, keep=None, calibration=CALIBRATION
        )
    true = brute_force(periods, gone)
    expected = sorted(((-score, n) for n, score in true.items() if score >= least))[:k]
    assert [hit.score for hit in answer] == pytest.approx([-score for score, _ in expected], abs=1e-6)
    for hit in answer:
        assert true[int(hit.id, 16)] == pytest.approx(hit.score, abs=1e-6)


def test_one_hit_for_each_place(world: Store) -> None:
    every = find_change(world, "site", encode, PERIODS, k=None, keep=None, calibration=CALIBRATION)
    one = find_change(world, "site", encode, PERIODS, k=None, keep="best", calibration=CALIBRATION)
    assert 0 < len(one) < len(every)
    assert len(one) + one.plan.hidden == len(every)
    assert one[0].id == every[0].id


def test_a_collection_asks_and_exports(row: Store, tmp_path: Path) -> None:
    import geocmer

    class Encoder:
        fingerprint, dim, scale, folder = ENCODER.fingerprint, DIM, 10.0, tmp_path

        def encode_texts(self, texts: Any) -> np.ndarray:
            return encode(texts)

    CALIBRATION.save(tmp_path, ENCODER.fingerprint)
    encoder: Any = Encoder()
    hits = geocmer.open(row.path, encoder=encoder).change("site", before="2009", after=date(2020, 1, 1))
    assert [int(hit.id, 16) for hit in hits] == [1, 3]
    for suffix in (".geojson", ".gpkg", ".html", ".csv", ".parquet"):
        assert hits.save(tmp_path / f"hits{suffix}") == 2
    page = (tmp_path / "hits.html").read_text()
    assert "earlier, 2009-07-01" in page
    assert hits[0].partners[0].id in page
