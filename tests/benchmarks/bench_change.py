"""Change between two dates at a million tiles: whole queries over a store, and the ranking of pairs alone.

    python tests/benchmarks/bench_change.py FOLDER [TILES]

FOLDER gets the store, or has it: half of the tiles of 2009 and half of 2020, on one grid, 384 numbers each.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import shapely

from geocmer.relations.change import find_change
from geocmer.relations.periods import Periods
from geocmer.search.probability import Calibration
from geocmer.store.schema import TileRow
from geocmer.store.store import EncoderInfo, Store

DIM, BATCH, SIDE = 384, 50_000, 0.005
INFO = EncoderInfo("0b" * 16, "bench", "", DIM)
DATES = (datetime(2009, 7, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC))


def vectors_of(start: int, count: int) -> np.ndarray:
    """Unit vectors: a few directions that tiles of both dates share, and noise."""
    rng = np.random.default_rng(start)
    vectors = rng.standard_normal((count, DIM)).astype(np.float32)
    vectors[:, :8] *= rng.exponential(3, (count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def make(folder: Path, tiles: int) -> Store:
    """Fill the store, if it is not full yet."""
    store = Store.open_or_create(folder / "store")
    store.add_encoder(INFO)
    half = tiles // 2
    across = int(np.ceil(half**0.5))
    for start in range(store.count(), tiles, BATCH):
        numbers = np.arange(start, min(start + BATCH, tiles))
        place = numbers % half
        west, south = -10 + place % across * SIDE, 30 + place // across * SIDE
        shapes = shapely.box(west, south, west + SIDE, south + SIDE)
        rows = [
            TileRow(f"{n:032x}", f"{n // half:032x}", int(n % half), 0, 64, shape, 10.0, 1.0, DATES[n // half])
            for n, shape in zip(numbers.tolist(), shapes, strict=True)
        ]
        store.add_tiles(rows, vectors_of(start, len(numbers)))
    store.upkeep()
    return store


def main(folder: Path, tiles: int) -> None:
    """Ask for what is new and what is gone, three times each, and print the medians."""
    folder.mkdir(parents=True, exist_ok=True)
    store = make(folder, tiles)
    calibration, periods = Calibration(np.zeros(DIM), 19.0, -7.3), Periods.of("2009", "2020")
    print(f"memory after making: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    concept = np.eye(DIM, dtype=np.float32)[:1]
    for gone in (False, True):
        spent = []
        for _ in range(4):
            began = time.perf_counter()
            answer = find_change(store, "x", lambda _: concept, periods, gone=gone, calibration=calibration)
            assert len(answer.hits) == 10
            spent.append(time.perf_counter() - began)
        seconds = f"first {spent[0]:.2f} s, then {np.median(spent[1:]):.2f} s"
        name, peak = "gone" if gone else "new", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name}: {seconds}; peak {peak:.0f} MB; {answer.plan.method}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000)
