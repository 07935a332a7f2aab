"""Class fractions under tiles: a large land-cover raster and a million polygons, beside exactextract and rasterstats.

Run: python tests/benchmarks/bench_fractions.py [--folder /tmp/fractions] [--side 36000] [--tiles 100000]
[--polygons 1000000]

Each row is a process of its own; seconds and memory are of the fractions, after the layer was opened. The peers get the
same tiles as polygons in the raster's CRS, and a part of them (`--peer-tiles`) where all would take hours.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from peak import peak_mb
from pyproj import CRS
from rasterio.windows import Window
from shapely import Polygon

from geocmer.imagery.grid import Grid
from geocmer.imagery.tiling import Tile

CODES = (10, 20, 30, 40, 50, 60, 80)
PLACE = Affine(10, 0, 300_000, 0, -10, 5_600_000)
CRS_OF_ALL = "EPSG:32633"


def write_raster(path: Path, side: int) -> None:
    """Patches of 40 pixels with ragged edges, as classified images have them, in blocks of 512, DEFLATE."""
    random = np.random.default_rng(0)
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint8", "crs": CRS_OF_ALL}
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    with rasterio.open(path, "w", **profile, **layout, transform=PLACE) as file:
        for row in range(0, side, 512):
            rows = min(512, side - row)
            coarse = random.choice(CODES, (rows // 40 + 2, side // 40 + 2)).astype(np.uint8)
            whole = coarse.repeat(40, 0).repeat(40, 1)[:rows, :side]
            edge = random.random((rows, side), dtype=np.float32) < 0.02
            whole[edge] = random.choice(CODES, int(edge.sum()))
            file.write(whole[None], window=Window(0, row, side, rows))


def write_polygons(path: Path, count: int, side: int) -> None:
    import geopandas

    across = int(count**0.5)
    step = side * 10 / across
    x, y = np.meshgrid(np.arange(across) * step + PLACE.c, PLACE.f - side * 10 + np.arange(across) * step)
    boxes = shapely.box(x.ravel(), y.ravel(), x.ravel() + step, y.ravel() + step)
    codes = np.random.default_rng(1).choice([str(code) for code in CODES], boxes.size)
    geopandas.GeoDataFrame({"class": codes}, geometry=boxes, crs=CRS_OF_ALL).to_file(path, driver="FlatGeobuf")


def grid_of(side: int, count: int) -> Grid:
    size = int(side / count**0.5)
    return Grid(PLACE, CRS.from_user_input(CRS_OF_ALL), side, side, size, size, 1.0, 1.0, 10.0)


def tiles_of(grid: Grid, count: int) -> Iterator[Tile]:
    """Tiles without pixels: fractions need their place and validity."""
    valid = np.ones((grid.size, grid.size), bool)
    pixels = np.zeros((grid.size, grid.size, 3), np.uint8)
    here = shapely.box(15, 50, 15.01, 50.01)
    assert isinstance(here, Polygon)
    for number, (row, col) in enumerate(grid.windows()):
        if number == count:
            return
        transform = grid.transform @ Affine.translation(col, row)
        covered = (grid.size, grid.size)
        yield Tile("", "", row, col, grid.size, transform, grid.crs, here, 10.0, 1.0, covered, pixels, valid)


def boxes_of(grid: Grid, count: int) -> Any:
    import geopandas

    boxes = []
    for tile in tiles_of(grid, count):
        (west, north), (east, south) = tile.transform @ (0, 0), tile.transform @ (tile.size, tile.size)
        boxes.append(shapely.box(west, south, east, north))
    return geopandas.GeoDataFrame(geometry=boxes, crs=CRS_OF_ALL)


def of_geocmer(path: Path, grid: Grid, count: int) -> float:
    from geocmer.landcover.layer import LandCover

    vector = path.suffix == ".fgb"
    layer = LandCover.open(path, None if vector else "esa_worldcover", class_column="class" if vector else None)
    layer.fit(grid)
    start = time.perf_counter()
    total = sum(sum(layer.fractions(tile).shares.values()) for tile in tiles_of(grid, count))
    assert abs(total - count) < 1e-3 * count
    return time.perf_counter() - start


def of_exactextract(path: Path, grid: Grid, count: int) -> float:
    from exactextract import exact_extract

    boxes = boxes_of(grid, count)
    start = time.perf_counter()
    exact_extract(str(path), boxes, ["frac", "unique"], output="pandas")
    return time.perf_counter() - start


def of_rasterstats(path: Path, grid: Grid, count: int) -> float:
    from rasterstats import zonal_stats

    boxes = boxes_of(grid, count)
    start = time.perf_counter()
    zonal_stats(boxes, str(path), categorical=True)
    return time.perf_counter() - start


WAYS = {"geocmer": of_geocmer, "exactextract": of_exactextract, "rasterstats": of_rasterstats}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("/tmp/fractions"))
    parser.add_argument("--side", type=int, default=36_000)
    parser.add_argument("--tiles", type=int, default=100_000)
    parser.add_argument("--peer-tiles", type=int, default=2_000)
    parser.add_argument("--polygons", type=int, default=1_000_000)
    parser.add_argument("--one", nargs=3)
    args = parser.parse_args()
    grid = grid_of(args.side, args.tiles)
    if args.one:
        way, path, count = args.one
        busy = time.process_time()
        seconds = WAYS[way](Path(path), grid, int(count))
        print(json.dumps([seconds, time.process_time() - busy, peak_mb()]))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    raster, polygons = args.folder / f"cover-{args.side}.tif", args.folder / f"cover-{args.polygons}.fgb"
    if not raster.exists():
        write_raster(raster, args.side)
    if args.polygons and not polygons.exists():
        write_polygons(polygons, args.polygons, args.side)
    rows = [("geocmer", raster, args.tiles), ("geocmer", raster, args.peer_tiles)]
    rows += [
        (peer, raster, args.peer_tiles) for peer in ("exactextract", "rasterstats") if importlib.util.find_spec(peer)
    ]
    rows += [("geocmer", polygons, args.tiles)] if args.polygons else []
    for way, path, count in rows:
        me = [sys.executable, __file__, "--side", str(args.side), "--tiles", str(args.tiles)]
        out = subprocess.run([*me, "--one", way, str(path), str(count)], check=True, capture_output=True, text=True)
        seconds, busy, peak = json.loads(out.stdout.splitlines()[-1])
        print(
            f"{path.name}, {way}: {count} tiles in {seconds:.1f} s ({busy:.1f} s of processor), "
            f"{count / seconds:.0f} tiles/s, {peak:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
