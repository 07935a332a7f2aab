"""Every tile over a threshold, to a file of each format: peak memory and hits per second, side by side.

    python tests/benchmarks/bench_stream.py --tiles 500000 --folder /tmp/stream

Makes the store of bench_search.py, or finds it in the folder. Each format gets a process of its own, which searches
with k=None, one hit for each place or all of them, and writes what comes. "before" is the process with everything
imported and the store open, "growth" the most that came on top, files mapped into memory included; "own" leaves those
out, which the system can take back at any time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from bench_search import DIM, make

from geocmer.export import known_formats, write
from geocmer.relations.parser import parse
from geocmer.relations.relation_search import relate
from geocmer.search.vector_search import nearest_tiles
from geocmer.store.store import Store

MB = 1e6
TOO_MANY = ".html"
"""The map page holds 10,000 hits."""


class Memory:
    """The most that this process takes while a thread of its own looks, every hundredth of a second."""

    def __init__(self) -> None:
        self._process, self._on = psutil.Process(), True
        self.before, self.most, self.own = self._process.memory_info().rss, 0, 0
        self._own_before = self._own()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _own(self) -> int:
        info = self._process.memory_info()
        return int(info.rss - getattr(info, "shared", 0))

    def _look(self) -> None:
        while self._on:
            self.most = max(self.most, self._process.memory_info().rss)
            self.own = max(self.own, self._own())
            time.sleep(0.01)

    def stop(self) -> dict[str, float]:
        self._on = False
        self._thread.join()
        growth, own = self.most - self.before, self.own - self._own_before
        return {"before": self.before / MB, "growth": growth / MB, "own": own / MB}


def one(folder: Path, suffix: str, question: str) -> None:
    """Search and write, and print what it took as JSON."""
    store = Store.open(folder / "store")
    store.snapshot()
    rng = np.random.default_rng(9)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        memory, began = Memory(), time.perf_counter()
        if question == "relation":
            answer = relate(
                store,
                parse("alpha next to beta"),
                lambda texts: rng.standard_normal((len(texts), DIM)).astype(np.float32) / DIM**0.5,
                k=None,
            )
        else:
            answer = nearest_tiles(
                store, rng.standard_normal(DIM), k=None, keep="best" if question == "places" else None
            )
        searched = time.perf_counter() - began
        path = Path(place) / f"hits{suffix}"
        count = write(answer, path)
        took = time.perf_counter() - began
        size = path.stat().st_size / MB
    print(json.dumps({"hits": count, "searched": searched, "took": took, "size": size, **memory.stop()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--formats", nargs="*", default=[suffix for suffix in known_formats() if suffix != TOO_MANY])
    parser.add_argument("--questions", nargs="*", default=["all"], help="all, places, relation")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return one(args.folder, *args.one)
    args.folder.mkdir(parents=True, exist_ok=True)
    make(args.folder, args.tiles)
    print("| format | question | hits | search, s | in all, s | hits/s | MB before | MB growth | own | file, MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for question in args.questions:
        for suffix in args.formats:
            command = [sys.executable, __file__, "--folder", str(args.folder), "--one", suffix, question]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            cells = [f"{found['hits']}", f"{found['searched']:.1f}", f"{found['took']:.1f}"]
            cells += [f"{found['hits'] / found['took']:.0f}"]
            cells += [f"{found[name]:.0f}" for name in ("before", "growth", "own", "size")]
            print(f"| `{suffix}` | {question} | " + " | ".join(cells) + " |", flush=True)
    return None


if __name__ == "__main__":
    main()
