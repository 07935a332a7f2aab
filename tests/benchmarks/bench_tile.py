"""Tiles per second beside plain rasterio, peak memory, and the whole of `tile` beside the model's forward passes alone.

Run: python tests/benchmarks/bench_tile.py [--side 6000] [--size 224] [--rounds 3] [--embed] [--scene FILE ...]

"blocks" reads the file block by block with rasterio and does nothing else; "tiles" makes tiles (mask, stretch,
footprint, id, count) with the stretch known, read ahead in a thread as `tile` does. `--embed` compares the whole of
`tile`, a new store each time, with the forward passes on the same tiles, in turns; the ratio of processor time leaves
out what else the machine does. Seconds are medians over rounds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from affine import Affine
from peak import peak_mb
from rasterio.windows import Window

from geocmer.imagery.grid import Grid
from geocmer.imagery.scene import BLOCK_CACHE_BYTES, Scene
from geocmer.imagery.stretch import Stretch
from geocmer.imagery.tiling import TileReader
from geocmer.ingest.stages import Stages
from geocmer.ingest.writer import BATCH_TILES, BLOCKS_AHEAD


def write(path: Path, width: int, height: int, dtype: str, *, tiled: bool) -> Path:
    """Three bands of noise, a few rows at a time."""
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256} if tiled else {}
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": dtype, "crs": "EPSG:32633"}
    place = Affine(10, 0, 500_000, 0, -10, 5_000_000)
    values = np.random.default_rng(0).integers(1, 250, (3, 256, width)).astype(dtype)
    with rasterio.open(path, "w", **profile, transform=place, compress="deflate", zlevel=1, **layout) as file:
        for row in range(0, height, 256):
            rows = min(256, height - row)
            file.write(values[:, :rows], window=Window(0, row, width, rows))
    os.sync()  # or what is timed next waits for it
    return path


def geocmer(path: Path, size: int) -> int:
    with Scene.open(path) as scene:
        return sum(1 for _ in TileReader(scene, Grid.over(scene, size), scene.stretch()))


def reading(path: Path, size: int, stretch: Stretch) -> float:
    """Seconds to make all tiles, read ahead in a thread."""
    with Scene.open(path) as scene, Stages() as stages:
        grid, _ = Grid.over(scene, size), scene.content_hash
        start = time.perf_counter()
        reader = TileReader(scene, grid, stretch)
        for _ in reader.tiles(stages.ahead(reader.blocks(), BLOCKS_AHEAD)):
            pass
        return time.perf_counter() - start


def blocks(path: Path) -> float:
    """Seconds to read all blocks of the first three bands."""
    with rasterio.Env(GDAL_CACHEMAX=BLOCK_CACHE_BYTES), rasterio.open(path) as file:
        start = time.perf_counter()
        for _, window in file.block_windows(1):
            file.read([1, 2, 3], window=window)
        return time.perf_counter() - start


def embedding(path: Path, size: int, rounds: int) -> None:
    """Print how long the whole of `tile` takes beside the forward passes on the same tiles."""
    from geocmer.ingest.pipeline import ingest
    from geocmer.ingest.tile_options import TileOptions
    from geocmer.models.encoder import Encoder
    from geocmer.store.store import Store

    encoder = Encoder.load(device="cpu")
    with Scene.open(path) as scene:
        tiles = list(TileReader(scene, Grid.over(scene, size), scene.stretch()))
    pixels = np.stack([tile.pixels for tile in tiles]).copy()
    encoder.encode_images(pixels[:BATCH_TILES])
    ratios = []
    for _ in range(rounds):
        start, busy = time.perf_counter(), time.process_time()
        for first in range(0, len(pixels), BATCH_TILES):
            encoder.encode_images(pixels[first : first + BATCH_TILES])
        forward, forward_busy = time.perf_counter() - start, time.process_time() - busy
        with TemporaryDirectory() as folder:
            start, busy = time.perf_counter(), time.process_time()
            ingest(path, Store.open_or_create(Path(folder) / "store"), encoder, TileOptions(size=size))
            whole, whole_busy = time.perf_counter() - start, time.process_time() - busy
        print(
            f"{len(pixels)} tiles: forward {forward:.1f} s, tile {whole:.1f} s: {whole / forward:.2f}x; processor "
            f"{forward_busy:.1f} s and {whole_busy:.1f} s: {whole_busy / forward_busy:.2f}x",
            flush=True,
        )
        ratios.append((whole / forward, whole_busy / forward_busy))
    clock, processor = (median(column) for column in zip(*ratios, strict=True))
    print(f"medians: {clock:.2f}x by the clock, {processor:.2f}x the processor time")


def plain(path: Path, size: int) -> int:
    """Windows read and nothing more: no mask, no stretch, no footprint, no account."""
    count = 0
    with rasterio.open(path) as file:
        for row in range(0, file.height - size + 1, size):
            for col in range(0, file.width - size + 1, size):
                file.read([1, 2, 3] if file.count >= 3 else [1], window=Window(col, row, size, size))
                count += 1
    return count


def peak(path: Path, size: int) -> str:
    """Peak memory of a process of its own that tiles a raster, MB."""
    me = [sys.executable, __file__, "--peak", str(path), "--size", str(size)]
    return subprocess.run(me, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=6000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--scene", type=Path, nargs="*", default=[])
    parser.add_argument("--peak", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--embed", action="store_true")
    args = parser.parse_args()
    if args.peak:
        geocmer(args.peak, args.size)
        print(f"{peak_mb():.0f} MB")
        return
    with TemporaryDirectory() as folder:
        side = args.side
        rasters = {
            "small, uint8, blocks": write(Path(folder) / "a.tif", side // 4, side // 4, "uint8", tiled=True),
            "large, uint8, blocks": write(Path(folder) / "b.tif", side, side, "uint8", tiled=True),
            "wide, float64, strips": write(Path(folder) / "c.tif", 36_000, 448, "float64", tiled=False),
        }
        for name, path in {**rasters, **{scene.name: scene for scene in args.scene}}.items():
            rates = []
            for way in (plain, geocmer):
                start = time.perf_counter()
                count = way(path, args.size)
                rates.append(count / (time.perf_counter() - start))
            with Scene.open(path) as scene:
                stretch = scene.stretch()
            pairs = [(blocks(path), reading(path, args.size, stretch)) for _ in range(args.rounds)]
            plain_seconds, seconds = (median(column) for column in zip(*pairs, strict=True))
            print(
                f"{name}: windows {rates[0]:.0f} tiles/s, geocmer with hash and stretch {rates[1]:.0f}; blocks "
                f"{plain_seconds:.2f} s, tiles {seconds:.2f} s ({plain_seconds / seconds:.0%}), "
                f"{peak(path, args.size)}",
                flush=True,
            )
        if args.embed:
            embedding(rasters["large, uint8, blocks"], args.size, args.rounds)


if __name__ == "__main__":
    main()
