"""Whether a GPU does what a CPU does: the shipped model's vectors, and where a training ends, over seeds.

    python tests/benchmarks/gpu_agreement.py --device cuda [--pairs rsicd/captions.json] [--seeds 3]

On CUDA towers and branches compute in bfloat16, on a CPU in float32. Features are computed on each device for itself.
Exits with 1 where vectors or trainings disagree; `--device cpu` compares a CPU with itself, to try the script.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from PIL import Image, ImageDraw

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.pairs import Pair, PairSet
from geocmer.evaluation.rows import evaluate
from geocmer.imagery.images import ImageFile
from geocmer.models.backbone import BUNDLED, Backbone
from geocmer.models.encoder import Encoder
from geocmer.training.config import TrainConfig
from geocmer.training.ensemble import train

LEAST_COSINE = 0.99
"""Of a vector in bfloat16 with the same in float32: its steps are 2^-8, and the tower has some fifty layers."""
COLOURS = {"red": (200, 60, 50), "blue": (60, 90, 200), "white": (235, 235, 230), "yellow": (220, 200, 70)}
GROUND = {"forest": (50, 90, 50), "sand": (205, 185, 140), "water": (40, 70, 110)}
PLACES = {"left": (0.08, 0.35), "right": (0.6, 0.35), "top": (0.35, 0.08), "bottom": (0.35, 0.6)}
SHAPES = ("square", "disc", "bar")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--pairs", type=Path, help="a captioned set; one is drawn if none is given")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--images", type=int, default=1600, help="of the set, at most: the CPU trains on them too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "drawn"
        pairs = part(load_pairs(asked.pairs), asked.images) if asked.pairs else draw_set(drawn, min(asked.images, 480))
        cosine = least_cosine(pairs.split("val"), asked.device)
        print(f"least cosine of a vector on {asked.device} with the same on the CPU: {cosine:.6f}\n")
        print("| device | validation mR | mean ± sd | seconds a run |\n|---|---|---|---|")
        ends = {device: _ends(pairs, device, asked, Path(folder)) for device in ("cpu", asked.device)}
    apart, noise = difference(ends["cpu"], ends[asked.device])
    agree = cosine >= LEAST_COSINE and apart <= noise
    print(f"\nmR differs by {apart:.2f}, noise of the seeds {noise:.2f}: {'agree' if agree else 'DISAGREE'}\n")
    sys.exit(not agree)


def difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Compute how far two means are apart, and three standard errors of that; of at least half a point each run."""
    spread = [max(stdev(values), 0.5) if len(values) > 1 else 1.0 for values in (first, second)]
    noise = 3 * math.sqrt(sum(sd**2 / len(values) for sd, values in zip(spread, (first, second), strict=True)))
    return abs(mean(first) - mean(second)), noise


def part(pairs: PairSet, images: int) -> PairSet:
    """Draw so many images of a set at most, three quarters of them to train on and one to validate."""
    rng, taken = np.random.default_rng(0), []
    for name, most in (("train", images * 3 // 4), ("val", images // 4)):
        some = pairs.split(name).pairs
        taken += [some[i] for i in np.sort(rng.permutation(len(some))[:most])]
    return PairSet(pairs.name, tuple(taken))


def least_cosine(pairs: PairSet, device: str) -> float:
    """Embed the images of a set on the CPU and on a device by the shipped model, and take the least cosine."""
    vectors = []
    for where in ("cpu", device):
        encoder = Encoder.load(BUNDLED, None, where)
        pixels = np.stack([pair.image.pixels(encoder.backbone.size) for pair in pairs.pairs[:64]])
        vectors.append(encoder.encode_images(pixels))
    return float((vectors[0] * vectors[1]).sum(1).min())


def _ends(pairs: PairSet, device: str, asked: argparse.Namespace, folder: Path) -> list[float]:
    """Train once for each seed and return the validation mR of each, in percent."""
    backbone, ends, seconds = Backbone.load(BUNDLED, device), [], []
    cfg = {"members": 1, "views": 1, "dim": 384, "epochs": asked.epochs, "bias_texts": 64, "learning_rate": 2e-3}
    for seed in range(asked.seeds):
        begin = time.perf_counter()
        adapter = train(
            pairs,
            backbone,
            folder / f"{device}-{seed}",
            TrainConfig(**cfg, seed=seed),
            cache=folder / f"cache-{device}",
        )
        seconds.append(time.perf_counter() - begin)
        encoder = Encoder(backbone, adapter, "", "", adapter.cfg.dim)
        ends.append(float(evaluate(pairs, encoder, split="val")[0]["mR"]))
    spread = f"{mean(ends):.2f} ± {stdev(ends) if len(ends) > 1 else 0:.2f}"
    print(f"| {device} | {', '.join(f'{end:.2f}' for end in ends)} | {spread} | {mean(seconds):.0f} |", flush=True)
    return ends


def draw_set(folder: Path, images: int) -> PairSet:
    """Draw images of one coloured shape on a kind of ground, with a caption each; every fourth is for validation."""
    folder.mkdir(parents=True)
    rng, pairs = np.random.default_rng(0), []
    for number in range(images):
        colour, ground, place, shape = (str(rng.choice(list(names))) for names in (COLOURS, GROUND, PLACES, SHAPES))
        grain = rng.normal(0, 12, (64, 64, 3)).repeat(2, 0).repeat(2, 1)
        picture = Image.fromarray((np.array(GROUND[ground]) + grain).clip(0, 255).astype(np.uint8))
        left, top = (np.array(PLACES[place]) * 128 + rng.integers(-6, 7, 2)).tolist()
        box = (left, top, left + 40, top + (12 if shape == "bar" else 40))
        pen = ImageDraw.Draw(picture)
        (pen.ellipse if shape == "disc" else pen.rectangle)(box, fill=COLOURS[colour])
        picture.save(folder / f"{number}.png")
        caption = f"a {colour} {shape} on {ground} at the {place} of the image"
        split = "val" if number % 4 == 3 else "train"
        pairs.append(Pair(ImageFile(folder / f"{number}.png"), (caption,), split))
    return PairSet("drawn", tuple(pairs))


if __name__ == "__main__":
    torch.backends.cuda.matmul.allow_tf32 = False  # only what is asked for, bfloat16, is less than float32
    main()
