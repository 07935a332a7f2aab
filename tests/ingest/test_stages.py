"""The pipeline of `tile`: stages side by side that give what one after the other gives, and stop together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looker import Looker, looker
from synthetic import contents, noise, raster

from geocmer.imagery.stretch import StretchRule
from geocmer.imagery.tiling import TileReader
from geocmer.ingest import writer
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.stages import Stages
from geocmer.ingest.tile_options import TileOptions
from geocmer.store.store import Store

SMALL = TileOptions(size=16)


def numbers(count: int, made: list[int], fail_at: int | None = None) -> Iterator[int]:
    for number in range(count):
        if number == fail_at:
            raise ValueError("no more")
        made.append(number)
        yield number


def test_items_come_in_order_and_only_some_ahead() -> None:
    made: list[int] = []
    most = 0
    with Stages() as stages:
        for number in stages.ahead(numbers(200, made), 3):
            most = max(most, len(made) - number)
    assert made == list(range(200))
    assert most <= 6, "three in line, one in each hand, and the one that was asked for"
    assert threading.active_count() < 20


def test_an_error_comes_after_what_was_made_before_it() -> None:
    made: list[int] = []
    seen: list[int] = []
    done: list[int] = []

    def run() -> None:
        with Stages() as stages:
            doubled = stages.ahead((2 * n for n in stages.ahead(numbers(50, made, fail_at=20), 2)), 2)
            put = stages.sink(done.append, 2)
            for number in doubled:
                seen.append(number)
                put(number)

    with pytest.raises(ValueError, match="no more"):
        run()
    assert seen == done == [2 * n for n in range(20)]


def test_what_was_handed_on_is_done_when_the_block_is_interrupted() -> None:
    made: list[int] = []
    done: list[int] = []
    before = threading.active_count()

    def run() -> None:
        with Stages() as stages:
            put = stages.sink(done.append, 1)
            for number in stages.ahead(numbers(10_000, made), 2):
                put(number)
                if number == 7:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert done == list(range(8))
    assert len(made) < 20, "the stage before was stopped"
    assert threading.active_count() == before


def test_an_error_of_the_last_step_stops_all_and_is_the_one_told() -> None:
    made: list[int] = []

    def work(number: int) -> None:
        if number == 5:
            raise OSError("disk full")

    def run() -> None:
        with Stages() as stages:
            put = stages.sink(work, 1)
            for number in stages.ahead(numbers(10_000, made), 2):
                put(number)

    with pytest.raises(OSError, match="disk full"):
        run()
    assert len(made) < 30
    with pytest.raises(OSError, match="disk full"), Stages() as stages:
        stages.sink(work, 1)(5)  # told at the end of the block too


@pytest.mark.parametrize("stage", ["read", "rows", "embed", "write"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_a_fault_in_any_stage_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: type[BaseException]
) -> None:
    monkeypatch.setattr(writer, "BATCH_TILES", 4)
    scene = raster(tmp_path / "scene.tif", noise(3, 64, 80))
    whole = Store.create(tmp_path / "whole")
    ingest(scene, whole, looker(), SMALL)
    store, encoder, calls = Store.create(tmp_path / "store"), looker(), 0
    owner, name, at = {
        "read": (TileReader, "_tile", 14),
        "rows": (writer, "encode_thumbnail", 14),
        "embed": (Looker, "encode_images", 4),
        "write": (Store, "add_tiles", 3),
    }[stage]
    real = getattr(owner, name)

    def failing(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise error
        return real(*args, **more)

    before = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        with pytest.raises(error):
            ingest(scene, store, encoder, SMALL)
    assert threading.active_count() == before, "no stage goes on"
    assert store.scenes() == []
    kept = store.count()
    assert kept == (8 if stage == "write" else 12), "every whole batch before the fault is stored"
    again = looker()
    ingest(scene, store, again, SMALL)
    assert again.seen == 20 - kept
    assert contents(store) == contents(whole)


def test_tiles_of_a_batch_are_those_of_their_windows(tmp_path: Path) -> None:
    """Tiles are views of the block that was read; what is embedded is theirs alone."""
    seen: list[np.ndarray] = []

    class Keeper(Looker):
        def encode_images(self, pixels: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
            seen.append(pixels)
            return super().encode_images(pixels, valid)

    array = noise(3, 32, 48)
    scene = raster(tmp_path / "scene.tif", array)
    keeper: Any = Keeper()
    ingest(scene, Store.create(tmp_path / "store"), keeper, TileOptions(size=16, stretch=StretchRule.parse("none")))
    pixels = np.concatenate(seen)
    expected = [array[:, r : r + 16, c : c + 16].transpose(1, 2, 0) for r in (0, 16) for c in (0, 16, 32)]
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, np.stack(expected))
