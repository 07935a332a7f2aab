"""Other image towers and a larger input, one by one and side by side: RSICD validation mR of members on one view.

    python tests/benchmarks/bench_towers.py rsicd/captions.json --towers lite1 lite1@300 lite2 --sample 4000 --seeds 2

A member for each tower and seed is trained on so many pictures. Then members stand side by side, as an adapter's do:
their cosines are averaged. Two of one tower are compared with one of each of two. Wants the packages of the towers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geocmer.datasets.annotations import load_pairs
from geocmer.evaluation.recall import recall
from geocmer.models.adapter import Adapter
from geocmer.models.adapter_config import AdapterConfig
from geocmer.models.backbone import BUNDLED, Backbone
from geocmer.models.weights import INPUT_SIZES
from geocmer.training.config import TrainConfig
from geocmer.training.feature_cache import default_cache
from geocmer.training.loop import fit
from geocmer.training.training_data import TrainingData
from geocmer.training.validation import similarity

TIMED_IMAGES, ROUNDS = 32, 3


def load_tower(name: str) -> Backbone:
    """Load `lite1`, or with another input `lite1@300`; the size is a part of the fingerprint."""
    tower, _, side = name.partition("@")
    if side:
        INPUT_SIZES[tower] = int(side)
    return Backbone.load(f"{BUNDLED}/{tower}", "cpu")


def cost(backbone: Backbone) -> float:
    """Time a picture, milliseconds of one processor, the least of several rounds."""
    pixels = np.zeros((TIMED_IMAGES, backbone.size, backbone.size, 3), np.uint8)
    spent = []
    for _ in range(ROUNDS + 1):  # the first builds the tower
        began = time.process_time()
        backbone.image(pixels)
        spent.append(1000 * (time.process_time() - began) / TIMED_IMAGES)
    return min(spent[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="a captioned set")
    parser.add_argument("--towers", nargs="+", default=["lite1", "lite1@300", "lite2"])
    parser.add_argument("--sample", type=int, default=4000, help="training pictures")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=10)
    asked = parser.parse_args()
    whole = load_pairs(asked.pairs)
    pairs = replace(whole, pairs=whole.sample(asked.sample).pairs + whole.split("val").pairs)
    _, owner = whole.split("val").captions()
    cfg = TrainConfig(views=1, epochs=asked.epochs)
    found: dict[tuple[str, int], NDArray[np.float32]] = {}
    print("| tower | a member's mR | ms of one processor a picture |\n|---|---|---|", flush=True)
    for name in asked.towers:
        backbone = load_tower(name)
        data = TrainingData.prepare([pairs], backbone, cfg, default_cache(), cache_images=True)
        shape = AdapterConfig.of(backbone, dim=cfg.branch_dim, dropout=cfg.dropout, token_dropout=cfg.token_dropout)
        val = data.validation[0]
        for seed in range(asked.seeds):
            with tempfile.TemporaryDirectory() as folder:
                fit(data, shape, Path(folder), replace(cfg, seed=seed), backbone.device)
                adapter = Adapter.load(Path(folder), backbone)
            texts = data.texts
            found[name, seed] = similarity(adapter, val.images, texts, texts.rows(val.texts), len(whole.split("val")))
        alone = [recall(found[name, seed], owner).mean for seed in range(asked.seeds)]
        print(f"| {name} | {', '.join(f'{mr:.2f}' for mr in alone)} | {cost(backbone):.1f} |", flush=True)
    print("\n| two members side by side | mR |\n|---|---|")
    for name in asked.towers:
        beside = [recall(found[name, a] + found[name, b], owner).mean for a, b in combinations(range(asked.seeds), 2)]
        print(f"| {name}, {name} | {np.mean(beside):.2f} |", flush=True)
    for one, other in combinations(asked.towers, 2):
        beside = [
            recall(found[one, a] + found[other, b], owner).mean
            for a in range(asked.seeds) for b in range(asked.seeds)
        ]  # fmt: skip
        print(f"| {one}, {other} | {np.mean(beside):.2f} |", flush=True)


if __name__ == "__main__":
    main()
