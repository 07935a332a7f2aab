"""Both sources of tiles give the same tiles, byte for byte: those that a loop over the table's rows finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from synthetic import ENCODER, filled, tile, unit

from geocmer.geometry.bbox import BBox
from geocmer.store import Filter, Store, mmap_cache
from geocmer.store.lance_source import LanceSource
from geocmer.store.mmap_source import MmapSource
from geocmer.store.schema import EXTENT
from geocmer.store.snapshot import Snapshot
from geocmer.store.tile_source import TileSource, choose_source

N, UNEMBEDDED = 300, 20
NAMES = ("forest", "water", None)
START = datetime(2020, 1, 1, tzinfo=UTC)
FILTERS: dict[str, tuple[Filter, Callable[[int], bool]]] = {
    "all": (Filter(), lambda n: True),
    "category": (Filter(category="water"), lambda n: n % 3 == 1),
    "box": (Filter(BBox(2.05, 0.05, 5.05, 3.05)), lambda n: 2 <= n % 20 <= 5 and n // 20 <= 3),
    "dates": (Filter(since=START + timedelta(days=40)), lambda n: n >= 40),
    "land cover": (Filter(where="water > 0.5"), lambda n: n % 10 > 5),
    "none": (Filter(BBox(50, 50, 51, 51)), lambda n: False),
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    def row(n: int) -> Any:
        fractions = {"water": n % 10 / 10, "forest": 1 - n % 10 / 10}
        return tile(
            n, west=n % 20, south=n // 20, category=NAMES[n % 3], datetime=START + timedelta(days=n),
            fractions=fractions, captions=("x",),
        )  # fmt: skip

    store = filled(tmp_path_factory.mktemp("source") / "store", [row(n) for n in range(N)], unit(N))
    store.add_tiles([row(n) for n in range(N, N + UNEMBEDDED)])
    found = Store.open(store.path).snapshot()
    assert mmap_cache.build_cache(found) is not None
    return found


def sources(snapshot: Snapshot) -> list[TileSource]:
    cache = mmap_cache.find_cache(snapshot)
    assert cache is not None
    return [LanceSource(snapshot), MmapSource(cache)]


def everything(source: TileSource, filter: Filter) -> dict[str, np.ndarray]:
    """All that a source tells of the tiles of a filter."""
    parts = {name: [np.empty(0)] for name in ("rowids", "ids", "category", "some", "footprints", "unembedded")}
    parts |= {"extents": [np.empty((0, 4))], "vectors": [unit(0)], "located": [unit(0)]}
    for batch in source.batches(filter, ("category", *EXTENT)):
        names, codes = batch.categories()
        rows = np.arange(len(batch.positions))
        vectors = [batch.locate(piece) for piece in batch.pieces()]
        told = {
            "rowids": batch.rowids(), "ids": batch.ids(), "extents": batch.extents, "vectors": batch.vectors(rows),
            "category": np.array([names[code] for code in codes], object), "some": batch.ids(rows[::-2]),
            "located": np.concatenate([all_ if at is None else all_[at] for all_, at in vectors] or [unit(0)]),
            "footprints": shapely.to_wkb(shapely.normalize(source.footprints(batch.positions))),
            "unembedded": np.array([batch.unembedded]),
        }  # fmt: skip
        for name, values in told.items():
            parts[name].append(values)
    return {name: np.concatenate(values[1:] or values) for name, values in parts.items()}


@pytest.mark.parametrize("name", FILTERS)
def test_a_source_gives_the_tiles_that_pass(snapshot: Snapshot, name: str) -> None:
    filter, passes = FILTERS[name]
    expected = [n for n in range(N) if passes(n)]
    for source in sources(snapshot):
        found = everything(source, filter)
        assert found["ids"].tolist() == [f"{n:032x}".encode() for n in expected]
        assert found["category"].tolist() == [NAMES[n % 3] for n in expected]
        np.testing.assert_array_equal(found["vectors"], unit(N).astype(np.float16)[expected])
        np.testing.assert_array_equal(found["located"], found["vectors"])
        corners = np.array([(n % 20, n // 20) for n in expected]).reshape(-1, 2)
        np.testing.assert_allclose(found["extents"], np.hstack([corners, corners + 0.1]))
        assert found["unembedded"].sum() == sum(map(passes, range(N, N + UNEMBEDDED)))
        shapes = shapely.normalize(shapely.box(*found["extents"].T))
        assert shapely.equals(shapely.from_wkb(found["footprints"]), shapes).all()


@pytest.mark.parametrize("name", FILTERS)
def test_both_sources_tell_the_same(snapshot: Snapshot, name: str) -> None:
    filter, passes = FILTERS[name]
    scanned, mapped = (everything(source, filter) for source in sources(snapshot))
    for column in ("rowids", "ids", "extents", "vectors", "footprints"):
        assert scanned[column].tolist() == mapped[column].tolist(), column
    for source in sources(snapshot):
        every = np.concatenate([batch.positions for batch in source.batches(Filter())])
        mask, unembedded = source.hit_mask(filter, every)
        assert mask.tolist() == [passes(n) for n in range(N)]
        assert unembedded == sum(map(passes, range(N, N + UNEMBEDDED)))
    period = FILTERS["dates"][0]
    assert [source.count(period) for source in sources(snapshot)] == [N + UNEMBEDDED - 40] * 2


def test_the_cache_is_chosen_where_there_is_one(snapshot: Snapshot, tmp_path: Path) -> None:
    assert isinstance(choose_source(snapshot, Filter()), MmapSource)
    small = filled(tmp_path / "small", [tile(n) for n in range(3)], unit(3))
    assert small.encoder == ENCODER
    assert isinstance(choose_source(small.snapshot(), Filter()), LanceSource)
