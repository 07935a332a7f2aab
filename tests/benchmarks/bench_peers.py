"""Reading tiles and embedding them beside other tools: seconds and peak memory, each in a process of its own.

Run: python tests/benchmarks/bench_peers.py [--folder /tmp/peers] [--side 6000] [--size 224] [--rounds 3] [--embed 96]

One raster of smoothed noise, as three COGs: DEFLATE, ZSTD and JPEG. geocmer makes tiles as `tile` does: mask, stretch,
footprint, id and account. Peers that are not installed are named in one line: torchgeo and rio-tiler come by pip,
`gdal_retile.py` with GDAL's Python tools. `--embed N` embeds N tiles with one open_clip model of random weights
(ViT-B-32): a picture at a time, in batches of a loader as clip-retrieval has it, and by the whole of `tile`.
Seconds leave out imports and loading the model; they are medians over rounds, taken in turns.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from peak import peak_mb
from rasterio.windows import Window

CODECS = {
    "DEFLATE": {"level": "6", "predictor": "2"},
    "ZSTD": {"level": "9", "predictor": "2"},
    "JPEG": {"quality": "85"},
}
EMBED_BATCH = 64


def write(folder: Path, side: int) -> None:
    """Noise that is smooth over some pixels, as ground is, so that codecs have something to do."""
    plain, random = folder / "plain.tif", np.random.default_rng(0)
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 3, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(
        plain, "w", **profile, transform=Affine(10, 0, 500_000, 0, -10, 5_000_000), tiled=True, photometric="RGB"
    ) as file:
        for row in range(0, side, 256):
            rows = min(256, side - row)
            coarse = random.integers(20, 200, (3, rows // 8 + 1, side // 8 + 1), np.uint8)
            fine = random.integers(0, 30, (3, rows, side), np.uint8)
            file.write(coarse.repeat(8, 1).repeat(8, 2)[:, :rows, :side] + fine, window=Window(0, row, side, rows))
    for codec, options in CODECS.items():
        rasterio.shutil.copy(plain, folder / f"{codec}.tif", driver="COG", compress=codec, **options)
    plain.unlink()


def windows(path: Path, size: int) -> Iterator[np.ndarray[Any, Any]]:
    """Whole tiles (3, size, size), one read each."""
    with rasterio.open(path) as file:
        for row in range(0, file.height - size + 1, size):
            for col in range(0, file.width - size + 1, size):
                yield file.read([1, 2, 3], window=Window(col, row, size, size))


def by_rasterio(path: Path, size: int) -> int:
    return sum(1 for _ in windows(path, size))


def by_geocmer(path: Path, size: int) -> int:
    from geocmer.imagery.grid import Grid
    from geocmer.imagery.scene import Scene
    from geocmer.imagery.tiling import TileReader
    from geocmer.ingest.stages import Stages
    from geocmer.ingest.writer import BLOCKS_AHEAD

    with Scene.open(path) as scene, Stages() as stages:
        reader = TileReader(scene, Grid.over(scene, size), scene.stretch())
        return sum(1 for _ in reader.tiles(stages.ahead(reader.blocks(), BLOCKS_AHEAD)))


def by_torchgeo(path: Path, size: int) -> int:
    from torch.utils.data import DataLoader
    from torchgeo.datasets import RasterDataset, stack_samples
    from torchgeo.samplers import GridGeoSampler, Units

    class Tiles(RasterDataset):  # type: ignore[misc, unused-ignore]
        filename_glob = path.name

    data = Tiles(str(path.parent))
    sampler = GridGeoSampler(data, size, size, units=Units.PIXELS)
    return sum(len(batch["image"]) for batch in DataLoader(data, 32, sampler=sampler, collate_fn=stack_samples))


def by_rio_tiler(path: Path, size: int) -> int:
    from rio_tiler.io import Reader

    count = 0
    with Reader(str(path)) as image:
        for row in range(0, image.dataset.height - size + 1, size):
            for col in range(0, image.dataset.width - size + 1, size):
                box = image.dataset.window_bounds(Window(col, row, size, size))
                crs = image.dataset.crs
                count += image.part(box, bounds_crs=crs, dst_crs=crs, width=size, height=size).data.shape[0] == 3
    return count


def by_gdal_retile(path: Path, size: int) -> int:
    """Writes its tiles, as it can do nothing else: uncompressed GeoTIFF."""
    with TemporaryDirectory(dir=path.parent) as folder:
        me = ["gdal_retile.py", "-q", "-ps", str(size), str(size), "-targetDir", folder, str(path)]
        subprocess.run(me, check=True, capture_output=True)
        return sum(1 for _ in Path(folder).glob("*.tif"))


READERS: dict[str, tuple[Callable[[Path, int], int], Callable[[], bool]]] = {
    "rasterio, a window a tile": (by_rasterio, lambda: True),
    "geocmer": (by_geocmer, lambda: True),
    "torchgeo GridGeoSampler": (by_torchgeo, lambda: importlib.util.find_spec("torchgeo") is not None),
    "rio-tiler": (by_rio_tiler, lambda: importlib.util.find_spec("rio_tiler") is not None),
    "gdal_retile.py": (by_gdal_retile, lambda: shutil.which("gdal_retile.py") is not None),
}


BEGAN: dict[str, float] = {}


def begin() -> None:
    """Start to measure: what came before was imports and models."""
    BEGAN.update(clock=time.perf_counter(), busy=_busy())


def _busy() -> float:
    """Seconds of processor time of this process and of those it started and that ended."""
    return sum(os.times()[:4])


def clip() -> tuple[Any, Any]:
    """Make an open_clip model with random weights, and its preprocessing."""
    import open_clip
    import torch

    torch.manual_seed(0)
    model, _, prepare = open_clip.create_model_and_transforms("ViT-B-32")
    return model.eval(), prepare


def embed_one_by_one(path: Path, size: int, model: Any, prepare: Any) -> int:
    import torch
    from PIL import Image

    vectors = []
    with torch.inference_mode():
        for pixels in windows(path, size):
            image = prepare(Image.fromarray(pixels.transpose(1, 2, 0)))
            vectors.append(torch.nn.functional.normalize(model.encode_image(image[None])).numpy())
    return len(vectors)


class _Prepared:
    """Tiles of a raster, prepared for a model: what a loader's workers read."""

    def __init__(self, path: Path, size: int, prepare: Any) -> None:
        self._path, self._size, self._prepare = path, size, prepare
        self._file: Any = None
        with rasterio.open(path) as file:
            self._across, self._down = file.width // size, file.height // size

    def __len__(self) -> int:
        return self._across * self._down

    def __getitem__(self, number: int) -> Any:
        from PIL import Image

        self._file = self._file or rasterio.open(self._path)
        row, col = divmod(number, self._across)
        pixels = self._file.read([1, 2, 3], window=Window(col * self._size, row * self._size, self._size, self._size))
        return self._prepare(Image.fromarray(pixels.transpose(1, 2, 0)))


def embed_in_batches(path: Path, size: int, model: Any, prepare: Any) -> int:
    import torch

    loader: Any = torch.utils.data.DataLoader(_Prepared(path, size, prepare), EMBED_BATCH, num_workers=2)  # type: ignore[arg-type]
    with torch.inference_mode():
        parts = [torch.nn.functional.normalize(model.encode_image(batch)).half().numpy() for batch in loader]
    with TemporaryDirectory() as folder:
        np.save(Path(folder) / "img_emb_0.npy", np.concatenate(parts))
    return sum(map(len, parts))


def embed_by_tile(path: Path, size: int, model: Any, prepare: Any) -> int:
    import torch

    from geocmer.ingest.pipeline import ingest
    from geocmer.ingest.tile_options import TileOptions
    from geocmer.models.backbone import Backbone
    from geocmer.models.encoder import Encoder
    from geocmer.models.openclip import OpenClip
    from geocmer.store.store import Store

    cpu = torch.device("cpu")
    config = model.visual.preprocess_cfg
    towers = OpenClip(model, lambda _: torch.zeros(1, 77, dtype=torch.long), size, config["mean"], config["std"], cpu)
    backbone = Backbone("local-dir:random", towers, cpu)
    encoder = Encoder(backbone, None, "", backbone.fingerprint, 512)
    encoder.encode_images(np.zeros((2, size, size, 3), np.uint8))  # compiles the tower, as any first use does
    begin()
    with TemporaryDirectory() as folder:
        return ingest(path, Store.open_or_create(Path(folder) / "store"), encoder, TileOptions(size=size)).added


EMBEDDERS = {
    "open_clip, a picture at a time": embed_one_by_one,
    "open_clip, batches of a loader": embed_in_batches,
    "geocmer tile, the same model": embed_by_tile,
}


def run_one(way: str, path: Path, size: int) -> None:
    """Do one thing, and print what it took as JSON."""
    if way in READERS:
        work = READERS[way][0]
        warm = path.with_name("warm.tif")  # imports are not what is measured
        if way != "gdal_retile.py":
            work(warm, size)
        begin()
        count = work(path, size)
    else:
        model, prepare = clip()
        begin()
        count = EMBEDDERS[way](path, size, model, prepare)
    seconds, busy = time.perf_counter() - BEGAN["clock"], _busy() - BEGAN["busy"]
    started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024 if way == "gdal_retile.py" else 0.0
    print(json.dumps([count, seconds, busy, max(peak_mb(), started)]))


def measure(ways: list[str], path: Path, size: int, rounds: int) -> None:
    """Run all ways in turns, and print a row for each."""
    me = [sys.executable, __file__, "--size", str(size), "--one"]
    found: dict[str, list[tuple[int, float, float, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            out = subprocess.run([*me, way, str(path)], check=True, capture_output=True, text=True)
            found[way].append(json.loads(out.stdout.splitlines()[-1]))
    for way, runs in found.items():
        count, seconds, busy, peak = (median(column) for column in zip(*runs, strict=True))
        print(
            f"| {path.stem} | {way} | {count:.0f} | {seconds:.2f} | {count / seconds:.0f} | {1000 * busy / count:.1f} "
            f"| {peak:.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("/tmp/peers-bench"))
    parser.add_argument("--side", type=int, default=6000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--embed", type=int, default=96)
    parser.add_argument("--one", nargs=2)
    args = parser.parse_args()
    if args.one:
        run_one(args.one[0], Path(args.one[1]), args.size)
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    if not all((args.folder / f"{codec}.tif").exists() for codec in CODECS):
        write(args.folder, args.side)
    side = args.size * 2
    with rasterio.open(args.folder / "DEFLATE.tif") as file:
        for name, width in (("warm", side), ("embed", round(args.embed**0.5) * args.size)):
            part = Window(0, 0, width, width)
            with rasterio.open(
                args.folder / f"{name}.tif", "w", driver="GTiff", width=width, height=width, count=3, dtype="uint8",
                crs=file.crs, transform=file.transform, tiled=True, compress="deflate",
            ) as out:  # fmt: skip
                out.write(file.read(window=part))
    missing = [way for way, (_, there) in READERS.items() if not there()]
    if missing:
        print(f"not installed, and not measured: {', '.join(missing)}")
    print("| raster | | tiles | seconds | tiles/s | processor, ms a tile | MB |\n|---|---|---|---|---|---|---|")
    for codec in CODECS:
        ways = [way for way in READERS if way not in missing]
        measure(ways, args.folder / f"{codec}.tif", args.size, args.rounds)
    if args.embed:
        measure(list(EMBEDDERS), args.folder / "embed.tif", args.size, args.rounds)


if __name__ == "__main__":
    main()
