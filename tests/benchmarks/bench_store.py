"""What a store costs: its size after many small writes, and the speed of a bulk of them.

    python tests/benchmarks/bench_store.py --folder /tmp/bench-store

Prints, all of one run: after many writes of 128 tiles with upkeep after every 2,048, as `geocmer tile` does, the bytes
on disk beside the bytes of the rows, the fragments and the versions; the same once the last versions have no reader any
more, a minute later. Then the speed of a bulk of writes of 10,000 tiles, from `TileRow` objects to the commit, by what
is in the store already, and the share of its time that each part takes.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bench_search import INFO, SCENE, rows_of, vectors_of

from geocmer.store import lance, schema, store, versions
from geocmer.store.store import Store

SMALL = 128
SPENT: dict[str, float] = {}


@contextmanager
def timed(owner: object, *names: str) -> Iterator[None]:
    """Add up the seconds that calls of these functions take."""
    whole = {name: getattr(owner, name) for name in names}

    def around(name: str) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            began = time.perf_counter()
            try:
                return whole[name](*args, **kwargs)
            finally:
                SPENT[name] = SPENT.get(name, 0) + time.perf_counter() - began

        return call

    for name in names:
        setattr(owner, name, around(name))
    try:
        yield
    finally:
        for name in names:
            setattr(owner, name, whole[name])


def payload(db: Store) -> int:
    """Bytes of the rows as Arrow holds them, uncompressed: what any store has to keep."""
    table = db.snapshot().dataset.to_table()
    return sum(column.get_total_buffer_size() for column in table.columns)


def on_disk(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def say(when: str, db: Store, folder: Path, rows: int) -> None:
    tiles, size = db.snapshot().dataset, on_disk(folder)
    print(f"| {when} | {size / 1e6:.0f} MB | {size / rows:.2f} | {len(tiles.get_fragments())} | {len(db.versions())} |")


def small_writes(folder: Path, tiles: int) -> None:
    db = Store.create(folder)
    db.add_encoder(INFO)
    picture = np.random.default_rng(1)
    began = time.perf_counter()
    for number in range(tiles // SCENE):
        rows, vectors = rows_of(number, SCENE), vectors_of(number, SCENE)
        for start in range(0, SCENE, SMALL):
            part = slice(start, start + SMALL)
            with_pictures = [schema.TileRow(**{**_fields(row), "thumbnail": picture.bytes(2500)}) for row in rows[part]]
            db.add_tiles(with_pictures, vectors[part])
            if start // SMALL % 16 == 15:
                db.upkeep()
        db.upkeep()
    spent = time.perf_counter() - began
    size = payload(db)
    print(f"\n{tiles} tiles in writes of {SMALL}, {spent:.0f} s; rows {size / 1e6:.0f} MB\n")
    print("| | on disk | / rows | fragments | versions |\n|---|---|---|---|---|")
    say("after the last write", db, folder, size)
    time.sleep(versions.MIN_AGE.total_seconds() + 1)
    db.upkeep()
    say("upkeep a minute later", db, folder, size)


def _fields(row: schema.TileRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def bulk(folder: Path, tiles: int) -> None:
    db = Store.create(folder)
    db.add_encoder(INFO)
    print("\n| tiles there | tiles/s | Arrow table | vectors | merge_insert |\n|---|---|---|---|---|")
    step, whole = max(tiles // 5, SCENE), 0.0
    for first in range(0, tiles, step):
        SPENT.clear()
        spent, added = 0.0, 0
        for number in range(first // SCENE, min(first + step, tiles) // SCENE):
            rows, vectors = rows_of(number, SCENE), vectors_of(number, SCENE)
            with timed(store, "tiles_table", "vector_array"), timed(lance, "upsert"):
                began = time.perf_counter()
                added += db.add_tiles(rows, vectors)
                spent += time.perf_counter() - began
        whole += spent
        parts = " | ".join(f"{SPENT[name] / spent:.0%}" for name in ("tiles_table", "vector_array", "upsert"))
        print(f"| {first} | {added / spent:.0f} | {parts} |", flush=True)
    began = time.perf_counter()
    db.upkeep()
    print(f"\nin all {db.count() / whole:.0f} tiles/s; upkeep after it: {time.perf_counter() - began:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="its content is replaced")
    parser.add_argument("--small", type=int, default=100_000, help="tiles of the small writes")
    parser.add_argument("--bulk", type=int, default=500_000)
    args = parser.parse_args()
    for name, run, tiles in (("small", small_writes, args.small), ("bulk", bulk, args.bulk)):
        shutil.rmtree(args.folder / name, ignore_errors=True)
        if tiles:
            run(args.folder / name, tiles)
        shutil.rmtree(args.folder / name, ignore_errors=True)


if __name__ == "__main__":
    main()
