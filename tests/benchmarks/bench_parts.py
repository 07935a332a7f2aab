"""What each part of the method is worth: validation mR over seeds, parts added one at a time.

    python tests/benchmarks/bench_parts.py ../shared/data/rsicd/captions.json --seeds 3

Settings are compared on the validation split. `--test` reads the test split as well: once, at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.pairs import PairSet
from geocmer.evaluation.recall import recall
from geocmer.models.backbone import Backbone
from geocmer.training.config import TrainConfig
from geocmer.training.ensemble import train
from geocmer.training.feature_cache import default_cache, image_features
from geocmer.training.text_features import text_features
from geocmer.training.validation import similarity

ONE = {"members": 1, "dim": 512}
ROWS: dict[str, dict[str, Any]] = {
    "linear probe": {"method": "linear", "queue": 0, "label_share": 0.0},
    "heads on pooled vectors": {**ONE, "focus": False, "queue": 0, "label_share": 0.0},
    "+ focus layers": {**ONE, "queue": 0, "label_share": 0.0},
    "+ focus layers + labels": {**ONE, "queue": 0, "label_share": 0.3},
    "+ focus layers + queue": {**ONE, "queue": 2048, "label_share": 0.0},
    "all three": {**ONE, "queue": 2048, "label_share": 0.3},
    "as shipped": {},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="another default of TrainConfig"
    )
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--test", action="store_true", help="read the test split too")
    asked = parser.parse_args()
    pairs, backbone = load_pairs(asked.pairs), Backbone.load()
    base = replace(TrainConfig(), **{k: json.loads(v) for k, v in (item.split("=", 1) for item in asked.set)})
    print(f"base: {asdict(base)}")
    for name in asked.rows:
        val, test, seconds = [], [], []
        for seed in range(asked.seeds):
            begin = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                cfg = replace(base, **ROWS[name], seed=seed)
                adapter = train(pairs, backbone, Path(folder), cfg, cache=default_cache())
                lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
            seconds.append(time.perf_counter() - begin)
            val.append(max(line["mR"] for line in lines))
            if asked.test:
                test.append(_mean_recall(adapter, pairs.split("test"), backbone))
        size = sum(p.numel() for p in adapter.parameters()) / 1e6
        figures = f"val mR {_spread(val)}" + (f", test mR {_spread(test)}" if test else "")
        print(f"{name}: {figures}, {size:.2f} M parameters, {statistics.mean(seconds):.0f} s a run", flush=True)


def _mean_recall(adapter: Any, split: PairSet, backbone: Backbone) -> float:
    captions, owner = split.captions()
    texts = text_features(backbone, captions, default_cache())
    images = image_features(backbone, split, default_cache(), 1)
    return recall(similarity(adapter, images, texts, texts.rows(captions), len(split)), owner).mean


def _spread(values: list[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.2f} ± {spread:.2f} ({', '.join(f'{v:.2f}' for v in values)})"


if __name__ == "__main__":
    main()
