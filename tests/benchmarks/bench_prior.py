"""What the category prior gains and costs, where land cover is right and where it is wrong: validation mR by strength.

    python tests/benchmarks/bench_prior.py ../shared/data/rsicd/captions.json [--adapter FOLDER ...]

The scene label stands for the land-cover category of a picture. A share of the labels is drawn at random, over seeds,
to stand for errors of a layer. Figures are means over the seeds, of the ties' order too.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from geocmer.datasets.annotations import load_pairs
from geocmer.evaluation.label_modes import label_mode_scores
from geocmer.evaluation.recall import recall
from geocmer.evaluation.similarity import EncodeOnce, pair_similarity
from geocmer.models.encoder import Encoder

STRENGTHS, WRONG = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0), (0.0, 0.3, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--adapter", type=Path, nargs="+", default=[None], help="means are over these too")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    data = load_pairs(asked.pairs).split("val")
    names = sorted({str(pair.scene) for pair in data.pairs})
    found: dict[tuple[float | str, float], list[tuple[float, float]]] = {}
    for folder in asked.adapter:
        encoder = Encoder.load(adapter=folder, device="cpu")
        similarity, owner = pair_similarity(encoder, data, encoder.backbone.size)
        once = EncodeOnce(encoder)
        for wrong in WRONG:
            for seed in range(asked.seeds):
                rng = np.random.default_rng(seed)
                drawn = [str(rng.choice(names)) if rng.random() < wrong else pair.scene for pair in data.pairs]
                pairs = replace(data, pairs=tuple(replace(p, scene=d) for p, d in zip(data.pairs, drawn, strict=True)))
                for strength in STRENGTHS:
                    modes = label_mode_scores(once, pairs, similarity, owner, strength)
                    for key, mode in ((strength, "predicted"), ("oracle", "oracle")):
                        if mode == "predicted" or strength == wrong == 0:
                            got = recall(modes[mode], owner, "random", seed)
                            found.setdefault((key, wrong), []).append((got.mean, float(np.mean(got.t2i))))
    print("mR (mean of the three text-to-image recalls)\n")
    print("| strength | " + " | ".join(f"{s:g}" for s in STRENGTHS) + " |")
    print("|---" * (len(STRENGTHS) + 1) + "|")
    for wrong in WRONG:
        cells = (np.mean(found[strength, wrong], axis=0) for strength in STRENGTHS)
        print(f"| {wrong:.0%} at random | " + " | ".join(f"{both:.2f} ({t2i:.1f})" for both, t2i in cells) + " |")
    print("\noracle: {:.2f} ({:.1f})".format(*np.mean(found["oracle", 0.0], axis=0)))


if __name__ == "__main__":
    main()
