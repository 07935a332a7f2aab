"""Tiles per second beside a plain rasterio loop, and peak memory for a small and a large raster.

Run: python tests/benchmarks/bench_tile.py [--side 6000] [--size 224] [--scene FILE ...]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window

from geocmer.imagery.grid import Grid
from geocmer.imagery.scene import Scene
from geocmer.imagery.tiling import TileReader


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
    return path


def geocmer(path: Path, size: int) -> int:
    with Scene.open(path) as scene:
        return sum(1 for _ in TileReader(scene, Grid.over(scene, size), scene.stretch()))


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
    args = parser.parse_args()
    if args.peak:
        geocmer(args.peak, args.size)
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
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
            ratio = rates[1] / rates[0]
            print(
                f"{name}: plain {rates[0]:.0f} tiles/s, geocmer {rates[1]:.0f} ({ratio:.2f}x), {peak(path, args.size)}"
            )


if __name__ == "__main__":
    main()
