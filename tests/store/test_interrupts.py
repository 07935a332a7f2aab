"""Interrupted and killed writers, and two beside each other: nothing is lost, torn or doubled."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lance
import pytest
from lance.dataset import MergeInsertBuilder
from synthetic import ENCODER, contents, filled, scene, tile, unit
from writers import OVERLAPPING_TILES, add_overlapping, ingest

from geocmer.store.store import Store


class Interrupter:
    """Raises at the n-th write of a kind that LanceDB commits, just before it takes effect or just after."""

    def __init__(self, stop: int, after: bool) -> None:
        self.stop, self.after, self.count = stop, after, 0

    def around(self, write: Callable[..., object]) -> Callable[..., object]:
        def interrupted(*args: object, **kwargs: object) -> object:
            self.count += 1
            if self.count != self.stop:
                return write(*args, **kwargs)
            if self.after:
                write(*args, **kwargs)
            raise KeyboardInterrupt

        return interrupted


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
def test_an_interrupted_run_is_mended_by_running_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    expected = contents(ingest(tmp_path / "whole"))
    commits = [
        (lance, "write_dataset"),
        (lance.LanceDataset, "add_columns"),
        (lance.LanceDataset, "update_schema_metadata"),
        (MergeInsertBuilder, "execute"),
    ]
    for stop in range(1, 10):  # two tables, a column, a pointer, four batches, a scene
        interrupter = Interrupter(stop, after)
        with monkeypatch.context() as patch:
            for owner, name in commits:
                patch.setattr(owner, name, interrupter.around(getattr(owner, name)))
            with pytest.raises(KeyboardInterrupt):
                ingest(tmp_path / f"stop {stop}")
        store = ingest(tmp_path / f"stop {stop}")
        assert contents(store) == expected, f"stopped at write {stop}"
        assert store.scenes() == [scene()]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_process_loses_nothing_and_tears_nothing(tmp_path: Path, processes: Any) -> None:
    expected = contents(ingest(tmp_path / "whole"))
    for twentieths in (0, 1, 3):
        ready = processes.Barrier(2)
        process = processes.Process(target=ingest, args=(tmp_path / "killed", ready))
        process.start()
        ready.wait()  # imports are done
        time.sleep(twentieths / 20)
        process.kill()
        process.join()
    store = ingest(tmp_path / "killed")
    assert contents(store) == expected
    assert store.scenes() == [scene()]


def _both(processes: Any, target: Callable[..., object], path: Path) -> None:
    """Have two processes do the same to a store at the same time."""
    ready = processes.Barrier(2)
    writers = [processes.Process(target=target, args=(path, ready)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0]


def test_two_writers_never_double_a_row(tmp_path: Path, processes: Any) -> None:
    Store.create(tmp_path / "store").add_encoder(ENCODER)
    _both(processes, add_overlapping, tmp_path / "store")
    rows = [tile(n) for n in range(OVERLAPPING_TILES)]
    alone = filled(tmp_path / "alone", rows, unit(OVERLAPPING_TILES))
    assert contents(Store.open(tmp_path / "store")) == contents(alone)


def test_two_processes_may_make_the_same_store(tmp_path: Path, processes: Any) -> None:
    _both(processes, ingest, tmp_path / "both")
    assert contents(Store.open(tmp_path / "both")) == contents(ingest(tmp_path / "one"))
