"""A number that an export prints selects its own tile, and sums of shares do not miss by rounding."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import tile

from geocmer.errors import InputError
from geocmer.export import attributes
from geocmer.search.criteria import read_date
from geocmer.search.vector_search import iter_tiles
from geocmer.store import Filter, Store
from geocmer.store.scan import BatchColumns
from geocmer.store.schema import tiles_table

GSDS = [0.1, 0.3, 9.999999, 10.000001, 28.5, 1 / 3, 2 / 3, 0.29999998, 123.45679, 1e-3]
TIMES = [datetime(2020, 5, 1, 10, 0, 0, 123456, UTC), datetime(2020, 5, 1, tzinfo=UTC), None]
SHARES = {"Tree cover": 0.1, "Grassland": 0.2, "Water": 0.7}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store.create(tmp_path_factory.mktemp("printed") / "store")
    store.add_tiles([tile(n, gsd=gsd, datetime=TIMES[n % 3], fractions=SHARES) for n, gsd in enumerate(GSDS)])
    return store


def test_a_printed_resolution_finds_its_tile(store: Store) -> None:
    for hit in iter_tiles(store):
        printed = float(str(attributes(hit)["gsd"]))
        assert hit.id in {found.id for found in iter_tiles(store, Filter(gsd=(printed, printed)))}


def test_a_printed_time_finds_its_tile(store: Store) -> None:
    for hit in iter_tiles(store):
        if hit.datetime is not None:
            moment = read_date(str(attributes(hit)["datetime"]))
            assert hit.id in {found.id for found in iter_tiles(store, Filter(since=moment, until=moment))}


@pytest.mark.parametrize("text", ["2020-13-01", "soon", "", "2020-05-01T99:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="YYYY-MM-DD"):
        read_date(text)


def test_tiles_without_a_date_are_counted(store: Store) -> None:
    assert store.snapshot().undated == sum(TIMES[n % 3] is None for n in range(len(GSDS)))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("green = 0.3", True),
        ("green >= 0.3", True),
        ("green <= 0.3", True),
        ("green > 0.3", False),
        ("green < 0.3", False),
        ("green != 0.3", False),
        ("green > 0.2999", True),
        ("green < 0.3001", True),
        ("green != 0.3001", True),
    ],
)
def test_sums_do_not_miss_by_rounding(text: str, holds: bool) -> None:
    share = np.array([0.1 + 0.2])
    assert share[0] != 0.3
    assert _holds(text, share.tolist()) == holds


def _holds(text: str, shares: list[float]) -> bool:
    """Ask one tile, whose classes sum up to what the condition calls by one name."""
    name = text.split(maxsplit=1)[0]
    (batch,) = tiles_table([tile(1, fractions={name: shares[0]})], None, None).to_batches()
    columns = BatchColumns(batch, frozenset({name}))
    return bool(len(Filter(where=text).passing(columns, np.arange(1))))


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=8))
def test_all_shares_together_are_one(pixels: list[int]) -> None:
    parts = np.array(pixels) / sum(pixels)
    total = np.array([float(sum(parts.tolist()))])
    for text, holds in (("all = 1", True), ("all >= 1", True), ("all < 1", False)):
        assert _holds(text, total.tolist()) == holds


def test_an_empty_condition_is_no_missing_condition() -> None:
    with pytest.raises(InputError):
        Filter(where="")


def test_a_category_that_no_tile_has_names_those_there_are(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    store.add_tiles([tile(1, category="forest"), tile(2, category="water")])
    with pytest.raises(InputError, match="did you mean 'forest'; the store knows: forest, water"):
        list(iter_tiles(store, Filter(category="forrest")))
    assert not list(iter_tiles(store, Filter(category="forest", gsd=(1000.0, None)))), "known, and nothing matches"
    bare = Store.create(tmp_path / "bare")
    bare.add_tiles([tile(1)])
    with pytest.raises(InputError, match="no tile has one"):
        list(iter_tiles(bare, Filter(category="forest")))
