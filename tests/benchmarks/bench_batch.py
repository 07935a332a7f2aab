"""Many queries in one pass over the vectors, beside one search after another and FAISS, side by side in one run.

    python tests/benchmarks/bench_batch.py --tiles 1000000 --queries 1000 --folder /tmp/bench

Makes the store of bench_search.py, or finds it in the folder. Each round times all ways in turn, so that what else the
machine does meets them alike; printed are medians over the rounds, and the processor's time, which other work hardly
changes. One search after another is timed on some of the
queries. FAISS holds float32 in RAM (IndexFlatIP, exact up to its rounding), or float16 as geocmer does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from bench_search import DIM, SCENE, make, vectors_of

from geocmer.geometry.bbox import BBox
from geocmer.search.batch_search import nearest_tiles_of_each
from geocmer.search.vector_search import nearest_tiles
from geocmer.store.filter import EVERY_TILE, Filter
from geocmer.store.store import Store

K = 10
Keep: TypeAlias = Literal["best"] | None
CASES: tuple[tuple[str, Keep, Filter], ...] = (
    ("all hits", None, EVERY_TILE),
    ("one for each place", "best", EVERY_TILE),
    ("one for each place, a quarter by category", "best", Filter(category="forest")),
    ("one for each place, a box of a degree", "best", Filter(region=BBox(-7.5, 39.5, -6.5, 40.5))),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--single", type=int, default=20, help="queries that are asked one after another")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    store = make(args.folder, args.tiles)
    rng = np.random.default_rng(9)
    queries = vectors_of(3, SCENE)[rng.integers(0, SCENE, args.queries)].astype(np.float64)
    queries += 0.3 * rng.standard_normal(queries.shape) / DIM**0.5
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    ways: dict[str, tuple[Callable[[], object], int]] = {}
    for name, keep, filter in CASES:
        ways[f"one after another, {name}"] = (
            partial(one_after_another, store, queries[: args.single], keep, filter),
            args.single,
        )
        ways[f"one pass, {name}"] = partial(one_pass, store, queries, keep, filter), args.queries
    ways |= faiss_ways(args.folder / "vectors.npy", queries.astype(np.float32), args.single)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    nearest_tiles(store, queries[0])  # makes the memory-mapped cache
    for round_ in range(args.rounds + 1):
        for name, (ask, count) in ways.items():
            began = time.perf_counter(), time.process_time()
            ask()
            if round_:  # the first one warms up
                ended = time.perf_counter(), time.process_time()
                spent[name].append(((ended[0] - began[0]) / count, (ended[1] - began[1]) / count))
    print("| way | ms a query | ms of processor a query |\n|---|---|---|")
    for name, seconds in spent.items():
        wall, cpu = np.median(seconds, axis=0) * 1e3
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |", flush=True)


def one_after_another(store: Store, queries: np.ndarray, keep: Keep, filter: Filter) -> object:
    return [nearest_tiles(store, query, k=K, keep=keep, filter=filter) for query in queries]


def one_pass(store: Store, queries: np.ndarray, keep: Keep, filter: Filter) -> object:
    return list(nearest_tiles_of_each(store, list(queries), k=K, keep=keep, filter=filter))


def faiss_one_after_another(index: Any, queries: np.ndarray) -> object:
    return [index.search(query[None], K) for query in queries]


def faiss_ways(path: Path, queries: np.ndarray, single: int) -> dict[str, tuple[Callable[[], object], int]]:
    try:
        import faiss
    except ImportError as error:
        print(f"FAISS is left out: {error}; pip install 'geocmer[bench]'")
        return {}
    vectors = np.load(path, mmap_mode="r")
    half = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    whole = faiss.IndexFlatIP(DIM)
    half.train(np.zeros((1, DIM), np.float32))
    for start in range(0, len(vectors), SCENE):
        some = vectors[start : start + SCENE].astype(np.float32)
        half.add(some)
        whole.add(some)
    ways: dict[str, tuple[Callable[[], object], int]] = {}
    for name, index, count in (
        ("FAISS float32, one after another", whole, single),
        ("FAISS float32, one pass", whole, len(queries)),
        ("FAISS float16, one pass", half, min(len(queries), 100)),
    ):
        asked = queries[:count]
        if "after" in name:
            ways[name] = partial(faiss_one_after_another, index, asked), count
        else:
            ways[name] = partial(index.search, asked, K), count
    return ways


if __name__ == "__main__":
    main()
