"""What several views of a tile are worth when it is embedded, and what they cost: validation by number of views.

    python tests/benchmarks/bench_views.py rsicd/captions.json eurosat/labels.json [--views 1 2 4 8] [--adapter FOLDER]

mR of a captioned set; of a labelled one the share of images whose class comes first, and P@20, both in percent.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from geocmer.datasets.annotations import load_pairs
from geocmer.evaluation.class_retrieval import class_questions, class_scores
from geocmer.evaluation.recall import recall
from geocmer.evaluation.similarity import pair_similarity
from geocmer.models.encoder import Encoder
from geocmer.models.turns import VIEWS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--views", nargs="+", type=int, default=VIEWS)
    parser.add_argument("--adapter", type=Path)
    asked = parser.parse_args()
    print("| set | views | figures | ms of processor an image |\n|---|---|---|---|")
    for file in asked.sets:
        pairs = load_pairs(file).with_validation().split("val")
        questions = class_questions(pairs)
        for views in asked.views:
            encoder = Encoder.load(adapter=asked.adapter, device="cpu", views=views)
            words = None if questions is None else questions[0]
            began = time.process_time()
            similarity, owner = pair_similarity(encoder, pairs, encoder.backbone.size, None, words)
            spent = 1000 * (time.process_time() - began) / len(pairs)
            if questions is None:
                figures = f"{recall(similarity, owner).mean:.2f}"
            else:
                mean = class_scores(questions[0], similarity, questions[1])[-1]
                figures = f"{100 * mean.accuracy:.1f}, {100 * mean.precision:.1f}"
            print(f"| {pairs.name} | {views} | {figures} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
