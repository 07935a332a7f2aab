"""Exact search at a million tiles, side by side in one run: geocmer, LanceDB flat, numpy, DuckDB, FAISS.

    python tests/benchmarks/bench_search.py --tiles 1000000 --folder /tmp/bench

The first run makes the store (clustered unit vectors, scene by scene, footprints of 0.01 degrees) and the memory map
that numpy and FAISS read. Prints the median milliseconds of warm searches inside one process, and the recall of each
against brute force in float64. What is not installed is left out, with a word.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import lancedb
import numpy as np
import shapely

from geocmer.geometry.region import Region
from geocmer.search.vector_search import nearest_tiles
from geocmer.store.filter import Filter
from geocmer.store.store import EncoderInfo, Store, TileRow

DIM, K, SCENE, SIDE = 384, 10, 10_000, 0.01
INFO = EncoderInfo("be" * 16, "synthetic", "", DIM)


def vectors_of(number: int, tiles: int) -> np.ndarray:
    """A scene's vectors: a few of 500 clusters, as neighbouring ground looks alike."""
    centres = np.random.default_rng(0).standard_normal((500, DIM)).astype(np.float32)
    rng = np.random.default_rng(number + 1)
    of = rng.choice(rng.choice(500, 20, replace=False), tiles)
    vectors = centres[of] + 0.7 * rng.standard_normal((tiles, DIM)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def rows_of(number: int, tiles: int) -> list[TileRow]:
    """A scene of 100 columns of tiles; scenes stand in a grid of 20 columns of one degree."""
    west, south = -10 + number % 20, 40 + number // 20
    return [
        TileRow(
            id=f"{number * SCENE + n:032x}",
            scene_id=f"{number:032x}",
            row=n // 100,
            col=n % 100,
            size=64,
            geometry=shapely.box(x := west + n % 100 * SIDE, y := south + n // 100 * SIDE, x + SIDE, y + SIDE),
            gsd=10,
            valid_share=1,
            category=("forest", "water", "town", None)[(n // 7) % 4],
            fractions={"Built-up": n % 64 / 64, "Tree cover": 1 - n % 64 / 64},
        )
        for n in range(tiles)
    ]


def make(folder: Path, tiles: int) -> Store:
    store = Store.open_or_create(folder / "store")
    store.add_encoder(INFO)
    done, spent = store.count(), 0.0
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", "f2", (tiles, DIM))
    for start in range(0, tiles, SCENE):
        count = min(SCENE, tiles - start)
        vectors[start : start + count] = vectors_of(start // SCENE, count)
        if start >= done:
            rows = rows_of(start // SCENE, count)
            began = time.perf_counter()
            store.add_tiles(rows, vectors[start : start + count])
            spent += time.perf_counter() - began
    began = time.perf_counter()
    store.upkeep()
    if tiles > done:
        print(f"insert: {(tiles - done) / spent:.0f} tiles/s, upkeep {time.perf_counter() - began:.1f} s")
    return store


def median(call: Callable[[], object], times: int) -> float:
    call()
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return float(np.median(spent)) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--times", type=int, default=7)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    store = make(args.folder, args.tiles)
    table = lancedb.connect(args.folder / "store").open_table("tiles")
    vectors = np.load(args.folder / "vectors.npy", mmap_mode="r").view(np.ndarray)
    numbers = np.arange(args.tiles)
    scene, n = numbers // SCENE, numbers % SCENE
    xmin, ymin = -10 + scene % 20 + n % 100 * SIDE, 40 + scene // 20 + n // 100 * SIDE
    extents = np.column_stack([xmin, ymin, xmin + SIDE, ymin + SIDE])
    query = vectors_of(3, SCENE)[17].astype(np.float64)
    query += 0.3 * np.random.default_rng(9).standard_normal(DIM) / DIM**0.5
    query /= np.linalg.norm(query)
    rough = query.astype(np.float32)

    def region(share: float, corners: int = 0) -> Region:
        """Holds about this share of the tiles, away from scene edges."""
        radius = (share * args.tiles) ** 0.5 * SIDE / 2
        x, y = -10 + min(20, -(-args.tiles // SCENE)) / 2 + 0.123, 40 + -(-args.tiles // SCENE) / 40 + 0.137
        if corners:
            angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
            star = 2 * radius / np.pi**0.5 * (1 + 0.1 * np.cos(9 * angles))
            return Region(shapely.Polygon(np.column_stack([x + star * np.cos(angles), y + star * np.sin(angles)])), "")
        return Region(shapely.box(x - radius, y - radius, x + radius, y + radius), "")

    cases = {
        "box 0.1 %": region(0.001),
        "box 1 %": region(0.01),
        "box 10 %": region(0.1),
        "polygon, 100 corners, 1 %": region(0.01, 100),
        "no filter": None,
    }
    others = {"numpy": numpy_search(vectors, extents), "LanceDB flat": lance_search(table)}
    for name, load in (("DuckDB", duckdb_search), ("FAISS flat", faiss_search)):
        try:
            others[name] = load(vectors, extents)
        except ImportError as error:
            print(f"{name} is left out: {error}; pip install 'geocmer[bench]'")
    began = time.perf_counter()
    nearest_tiles(store, query)
    print(f"first wide search, which makes the sidecar: {time.perf_counter() - began:.1f} s")
    print("| case | tiles | " + " | ".join(["geocmer", *(f"{name} (recall)" for name in others)]) + " |")
    for name, area in cases.items():
        boxes: Any = shapely.box(*extents.T)
        mask = np.ones(args.tiles, bool) if area is None else area.intersects(boxes)
        at = np.flatnonzero(mask)
        exact = np.concatenate(
            [vectors[part].astype(np.float64) @ query for part in np.array_split(at, 1 + len(at) // 20_000)]
        )
        truth = set(at[np.lexsort((at, -exact))[:K]].tolist())
        answer = nearest_tiles(store, query, filter=Filter(area))
        assert {int(hit.id, 16) for hit in answer} == truth, "geocmer must equal brute force"
        cells = [f"{median(lambda: nearest_tiles(store, query, filter=Filter(area)), args.times):.1f}"]  # noqa: B023
        for call in others.values():
            got = call(area, rough)
            spent = median(lambda: call(area, rough), max(2, args.times // 2))  # noqa: B023
            cells.append(f"{spent:.1f} ({len(truth & set(got)) / len(truth):.3f})")
            gc.collect()
        print(f"| {name} | {len(at)} | " + " | ".join(cells) + f" | {answer.plan.method}, {answer.plan.scanned} rows")
    size = {
        name: sum(f.stat().st_size for f in (args.folder / "store" / name).rglob("*") if f.is_file())
        for name in ("tiles.lance", "cache")
    }
    print(json.dumps({"bytes": size, "fragments": len(store.snapshot().dataset.get_fragments())}))


def numpy_search(vectors: np.ndarray, extents: np.ndarray) -> Callable[[Region | None, np.ndarray], list[int]]:
    """Brute force over the memory map; the extents in memory decide, for a polygon shapely does."""

    def run(area: Region | None, query: np.ndarray) -> list[int]:
        at = np.flatnonzero(_inside(area, extents)) if area else np.arange(len(vectors))
        scores = np.concatenate(
            [vectors[p].astype(np.float32) @ query for p in np.array_split(at, 1 + len(at) // 8192)]
        )
        return at[np.argsort(-scores)[:K]].tolist()

    return run


def _inside(area: Region, extents: np.ndarray) -> np.ndarray:
    west, south, east, north = area.geometry.bounds
    xmin, ymin, xmax, ymax = extents.T
    mask = (xmin <= east) & (xmax >= west) & (ymin <= north) & (ymax >= south)
    if _more_than_a_box(area):
        mask[mask] = area.intersects(shapely.box(*extents[mask].T))
    return mask


def _more_than_a_box(area: Region) -> bool:
    assert isinstance(area.geometry, shapely.Polygon)
    return len(area.geometry.exterior.coords) > 5


def lance_search(table: Any) -> Callable[[Region | None, np.ndarray], list[int]]:
    """LanceDB alone: scalar index and flat scan; a polygon by its box, decided afterwards on all rows of the box."""

    def run(area: Region | None, query: np.ndarray) -> list[int]:
        asked = table.search(query, vector_column_name=INFO.column).distance_type("dot").bypass_vector_index()
        polygon = area is not None and _more_than_a_box(area)
        if area is not None:
            west, south, east, north = area.geometry.bounds
            asked = asked.where(
                f"xmin >= {west - SIDE} AND xmin <= {east} AND ymin >= {south - SIDE} AND ymin <= {north} "
                f"AND xmax >= {west} AND ymax >= {south}"
            )
        found = asked.select(["id", "geometry"] if polygon else ["id"]).limit(100_000 if polygon else K).to_arrow()
        if area is not None and polygon:
            keep = area.intersects(shapely.from_wkb(found["geometry"].to_numpy()))
            found = found.filter(keep)
        return [int(name, 16) for name in found["id"].to_pylist()[:K]]

    return run


def duckdb_search(vectors: np.ndarray, extents: np.ndarray) -> Callable[[Region | None, np.ndarray], list[int]]:
    """DuckDB in memory: a float32 array column, the box in WHERE; a polygon is not asked of it."""
    import duckdb
    import pyarrow as pa

    base = duckdb.connect()
    base.execute("SET threads = 2")
    base.execute(f"CREATE TABLE t (n INTEGER, x DOUBLE, y DOUBLE, x2 DOUBLE, y2 DOUBLE, v FLOAT[{DIM}])")
    for start in range(0, len(vectors), 50_000):
        part = slice(start, start + 50_000)
        flat = pa.array(np.asarray(vectors[part], np.float32).ravel())
        columns = {"n": pa.array(np.arange(len(vectors))[part].astype(np.int32))}
        columns |= {name: pa.array(extents[part, i]) for i, name in enumerate(("x", "y", "x2", "y2"))}
        batch = pa.table({**columns, "v": pa.FixedSizeListArray.from_arrays(flat, DIM)})  # noqa: F841
        base.execute("INSERT INTO t SELECT * FROM batch")

    def run(area: Region | None, query: np.ndarray) -> list[int]:
        where = ""
        if area is not None:
            west, south, east, north = area.geometry.bounds
            where = f"WHERE x <= {east} AND x2 >= {west} AND y <= {north} AND y2 >= {south}"
        text = f"SELECT n FROM t {where} ORDER BY array_inner_product(v, ?::FLOAT[{DIM}]) DESC LIMIT {K}"
        return [row[0] for row in base.execute(text, [query.tolist()]).fetchall()]

    return run


def faiss_search(vectors: np.ndarray, extents: np.ndarray) -> Callable[[Region | None, np.ndarray], list[int]]:
    """FAISS flat with float16 codes, and the filter as a mask."""
    import faiss

    index = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    for start in range(0, len(vectors), 50_000):
        index.add(np.asarray(vectors[start : start + 50_000], np.float32))

    def run(area: Region | None, query: np.ndarray) -> list[int]:
        if area is None:
            return index.search(query[None], K)[1][0].tolist()
        chosen = np.packbits(_inside(area, extents), bitorder="little")
        selector = faiss.IDSelectorBitmap(len(extents), faiss.swig_ptr(chosen))
        params = cast("Any", faiss).SearchParameters(sel=selector)  # faiss adds keywords as it is imported
        return index.search(query[None], K, params=params)[1][0].tolist()

    return run


if __name__ == "__main__":
    main()
