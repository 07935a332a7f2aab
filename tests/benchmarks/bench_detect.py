"""Scoring every tile of a million and merging what is found, and what memory it takes.

    python tests/benchmarks/bench_detect.py --folder /tmp/bench --tiles 1000000

The store is the one of bench_search.py, made by the first run; a share of its tiles is let through. Prints seconds
of processor and wall clock, and by how much the resident memory grew at its peak.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from bench_search import DIM, make

from geocmer.export.detections import Detections
from geocmer.export.probability_raster import write_probabilities
from geocmer.search.dot import quantize_queries
from geocmer.search.probability import Calibration, ProbabilityModel
from geocmer.search.tile_probabilities import tile_probabilities
from geocmer.store.store import Store


class Peak:
    """The largest resident memory while it is entered, in megabytes above the start."""

    def __enter__(self) -> Peak:
        gc.collect()
        self._process, self._stop = psutil.Process(), threading.Event()
        self._start = self.megabytes = self._process.memory_info().rss / 2**20
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.megabytes = max(self.megabytes, self._process.memory_info().rss / 2**20)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.megabytes -= self._start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/bench"))
    parser.add_argument("--tiles", type=int, default=1_000_000)
    args = parser.parse_args()
    store = make(args.folder, args.tiles)
    snapshot = store.snapshot()
    direction = np.random.default_rng(0).standard_normal(DIM)
    direction /= np.linalg.norm(direction)

    probability_model = ProbabilityModel(
        Calibration(np.zeros(DIM), 40.0, 0.0), quantize_queries(direction[None]), (False,)
    )
    tile_probabilities(snapshot, probability_model)  # compiles, and makes the memory-mapped cache if there is none
    for share in (0.001, 0.01):
        with Peak() as peak:
            wall, cpu = time.perf_counter(), time.process_time()
            tiles = tile_probabilities(Store.open(store.path).snapshot(), probability_model)
            scored = time.perf_counter() - wall, time.process_time() - cpu
            found = Detections.of(tiles, "x", float(np.quantile(tiles.values, 1 - share)))
            whole = time.perf_counter() - wall, time.process_time() - cpu
        print(
            f"{len(tiles.values)} tiles scored in {scored[0]:.2f} s (processor {scored[1]:.2f} s); "
            f"{found.tiles.sum()} of them merged into {len(found)} polygons, in all {whole[0]:.2f} s "
            f"({whole[1]:.2f} s), {peak.megabytes:.0f} MB"
        )
    with Peak() as peak, tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        grid = write_probabilities(tiles, {}, Path(folder) / "p.tif", "x")
        spent = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"raster of {grid.width} x {grid.height}: {spent[0]:.2f} s ({spent[1]:.2f} s), {peak.megabytes:.0f} MB"
    )  # behind the block, which takes off what there was before


if __name__ == "__main__":
    main()
