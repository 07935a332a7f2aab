"""The memory-mapped cache answers for its own rows alone, and is made again where it is damaged."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from synthetic import ENCODER, OTHER, filled, tile, unit

from geocmer.geometry.bbox import BBox
from geocmer.relations.tile_scores import score_tiles
from geocmer.search.vector_search import iter_tiles, nearest_tiles
from geocmer.store import mmap_cache
from geocmer.store.filter import Filter
from geocmer.store.snapshot import Snapshot
from geocmer.store.store import Store


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
