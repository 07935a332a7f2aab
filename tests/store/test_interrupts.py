"""Interrupted and killed writers, and two beside each other: nothing is lost, torn or doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import lancedb
import pytest
from synthetic import ENCODER, contents, filled, scene, tile, unit

from geocmer.store.store import Store

# -- interrupts and neighbours ----------------------------------------------------------------------------------------

BATCHES = [[tile(n, west=n / 10) for n in range(start, start + 5)] for start in range(0, 20, 5)]


def _ingest(path: Path) -> Store:
    """What `geocmer tile` does to a store, in the same order."""
    store = Store.open_or_create(path)
    store.add_encoder(ENCODER)
    for rows in BATCHES:
        known = store.existing_ids([row.id for row in rows])
        new = [row for row in rows if row.id not in known]
        store.add_tiles(new, unit(100)[[row.row for row in new]])
    store.add_scene(scene())
    store.upkeep()
    return store


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
    import lance

    expected = contents(_ingest(tmp_path / "whole"))
    commits = [
        (lancedb.db.LanceDBConnection, "create_table"),
        (lancedb.table.LanceTable, "add_columns"),
        (lance.LanceDataset, "update_schema_metadata"),
        (lancedb.merge.LanceMergeInsertBuilder, "execute"),
    ]
    for stop in range(1, 10):  # two tables, a column, a pointer, four batches, a scene
        interrupter = Interrupter(stop, after)
        with monkeypatch.context() as patch:
            for owner, name in commits:
                patch.setattr(owner, name, interrupter.around(getattr(owner, name)))
            with pytest.raises(KeyboardInterrupt):
                _ingest(tmp_path / f"stop {stop}")
        store = _ingest(tmp_path / f"stop {stop}")
        assert contents(store) == expected, f"stopped at write {stop}"
        assert store.scenes() == [scene()]


def _run(code: str, *args: object) -> subprocess.Popen[bytes]:
    lines = f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n{code}"
    return subprocess.Popen([sys.executable, "-c", lines, *map(str, args)], stdout=subprocess.PIPE)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_process_loses_nothing_and_tears_nothing(tmp_path: Path) -> None:
    code = "from test_interrupts import _ingest; print('go', flush=True); _ingest(sys.argv[1])"
    expected = contents(_ingest(tmp_path / "whole"))
    for tenths in (0, 1, 3):
        process = _run(code, tmp_path / "killed")
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"  # imports are done
        time.sleep(tenths / 20)
        process.send_signal(signal.SIGKILL)
        process.wait()
    store = _ingest(tmp_path / "killed")
    assert contents(store) == expected
    assert store.scenes() == [scene()]


def test_two_writers_never_double_a_row(tmp_path: Path) -> None:
    Store.create(tmp_path / "store").add_encoder(ENCODER)
    code = """
from test_store import *
store = Store.open(sys.argv[1])
print("ready", flush=True)
for start in range(0, 400, 20):
    store.add_tiles([tile(n) for n in range(start, start + 30)], unit(430)[start : start + 30])
"""
    writers = [_run(code, tmp_path / "store") for _ in range(2)]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    rows = [tile(n) for n in range(410)]
    assert contents(Store.open(tmp_path / "store")) == contents(filled(tmp_path / "alone", rows, unit(430)[:410]))


def test_two_processes_may_make_the_same_store(tmp_path: Path) -> None:
    code = "from test_interrupts import _ingest; _ingest(sys.argv[1])"
    assert [process.wait(120) for process in [_run(code, tmp_path / "both") for _ in range(2)]] == [0, 0]
    assert contents(Store.open(tmp_path / "both")) == contents(_ingest(tmp_path / "one"))
