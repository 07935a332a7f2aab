"""What other processes do to a store, for the tests of writers beside each other and of killed ones."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from synthetic import ENCODER, scene, tile, unit

from geocmer.store.store import Store

BATCHES = [[tile(n, west=n / 10) for n in range(start, start + 5)] for start in range(0, 20, 5)]
OVERLAPPING_TILES = 170
"""Of all batches of `add_overlapping`."""


def ingest(path: Path, ready: Any = None) -> Store:
    """Do what `geocmer tile` does to a store, in the same order, once all are `ready`."""
    if ready is not None:
        ready.wait()
    store = Store.open_or_create(path)
    store.add_encoder(ENCODER)
    for rows in BATCHES:
        known = store.existing_ids([row.id for row in rows])
        new = [row for row in rows if row.id not in known]
        store.add_tiles(new, unit(100)[[row.row for row in new]])
    store.add_scene(scene())
    store.upkeep()
    return store


def add_overlapping(path: Path, ready: Any) -> None:
    """Add batches of which each shares a third of its tiles with the next, once all are `ready`."""
    store = Store.open(path)
    vectors = unit(OVERLAPPING_TILES)
    ready.wait()
    for start in range(0, OVERLAPPING_TILES - 10, 20):
        store.add_tiles([tile(n) for n in range(start, start + 30)], vectors[start : start + 30])


def read_until_killed(path: Path, number: Any, end: Any) -> None:
    """Read a store, tell the `number` of its version, and be killed at the `end`."""
    snapshot = Store.open(path).snapshot()
    number.value = snapshot.version
    end.wait()
    os.kill(os.getpid(), signal.SIGKILL)
