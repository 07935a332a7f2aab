"""What several views of a tile are worth when it is embedded, and what they cost: validation by number of views.

    python tests/benchmarks/bench_views.py rsicd/captions.json ucm/captions.json nwpu12/labels.json \
        nwpu_extra7/labels.json

mR of a captioned set; of a labelled one accuracy and P@20, all in percent. Beside them the members of the adapter one
by one, without its captions and bias: mean ± sd of their differences to one view, the first figure alone. At last what
a picture costs, milliseconds of one processor, the least of several rounds in turns. Rows that are no choice of
`--views` show what other symmetries would do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from turned import turned

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.pairs import PairSet
from geocmer.evaluation.class_retrieval import class_questions, class_scores
from geocmer.evaluation.recall import recall
from geocmer.models.encoder import Encoder, l2_normalize
from geocmer.models.turns import VIEWS
from geocmer.training.feature_cache import default_cache, image_features
from geocmer.training.text_features import text_features
from geocmer.training.validation import image_vectors, text_vectors

ROWS = {
    "1": (0,),
    "2, mirrored instead": (0, 2),
    "2": (0, 1),
    "4, quarter turns instead": (0, 1, 4, 5),
    "4": (0, 1, 2, 3),
    "8": tuple(range(8)),
}
"""Row -> numbers of the views that are averaged, see `turned`."""
TIMED_IMAGES, ROUNDS = 16, 3

Floats = NDArray[np.float32]


def figures(pairs: PairSet, vectors: Floats, words: Floats, owner: NDArray[np.int64]) -> list[float]:
    """Measure vectors of pictures and of the captions or class words: mR, or accuracy and P@20."""
    questions = class_questions(pairs)
    if questions is None:
        return [recall(vectors @ words.T, owner).mean]
    mean = class_scores(questions[0], vectors @ words.T, questions[1])[-1]
    return [100 * mean.accuracy, 100 * mean.precision]


def measure(encoder: Encoder, pairs: PairSet) -> None:
    """Print the rows of a set."""
    assert encoder.adapter is not None  # it is the one that ships, or was named
    questions, (captions, owner) = class_questions(pairs), pairs.captions()
    texts = list(captions) if questions is None else list(questions[0])
    unique, same = np.unique(texts, return_inverse=True)
    frozen = text_features(encoder.backbone, texts, default_cache())
    features = [image_features(encoder.backbone, turned(pairs, n), default_cache()) for n in range(VIEWS[-1])]
    sides = [encoder.adapter, *(encoder.adapter.member(n) for n in range(encoder.adapter.cfg.members))]
    found: dict[str, list[list[float]]] = {row: [] for row in ROWS}
    for number, adapter in enumerate(sides):
        if number:
            words = np.concatenate([v.numpy() for v in text_vectors(adapter, frozen, frozen.rows(texts))])
        else:
            words = encoder.encode_texts(unique.tolist())[same]
        seen = [np.concatenate([v.numpy() for v in image_vectors(adapter, f, np.arange(len(pairs)))]) for f in features]
        for row, views in ROWS.items():
            mean = l2_normalize(np.mean([l2_normalize(seen[n]) for n in views], axis=0))
            found[row].append(figures(pairs, mean, words, owner))
    for row, (joint, *members) in found.items():
        change = np.array([m[0] - first[0] for m, first in zip(members, found["1"][1:], strict=True)])
        spread = f"{change.mean():+.2f} ± {change.std(ddof=1):.2f}" if len(change) > 1 and row != "1" else ""
        print(f"| {pairs.name} | {row} | {', '.join(f'{f:.2f}' for f in joint)} | {spread} |", flush=True)


def cost(adapter: Path | None, pixels: NDArray[np.uint8], asked: Sequence[int]) -> None:
    """Print what a picture costs by number of views."""
    encoders = {views: Encoder.load(adapter=adapter, device="cpu", views=views) for views in asked}
    least = dict.fromkeys(asked, float("inf"))
    for turn in range(ROUNDS + 1):  # the first round builds the towers
        for views, encoder in encoders.items():
            began = time.process_time()
            encoder.encode_images(pixels)
            spent = 1000 * (time.process_time() - began) / len(pixels)
            least[views] = min(least[views], spent) if turn else float("inf")
    print("\n| views | ms of one processor a picture | times one view |\n|---|---|---|")
    for views, spent in least.items():
        print(f"| {views} | {spent:.1f} | {spent / least[asked[0]]:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--adapter", type=Path)
    asked = parser.parse_args()
    encoder = Encoder.load(adapter=asked.adapter, device="cpu")
    sets = [load_pairs(file).with_validation().split("val") for file in asked.sets]
    pixels = np.stack([pair.image.pixels(encoder.backbone.size) for pair in sets[0].pairs[:TIMED_IMAGES]])
    print("| set | views | figures | members, difference to one view |\n|---|---|---|---|")
    for pairs in sets:
        measure(encoder, pairs)
    cost(asked.adapter, pixels, VIEWS)


if __name__ == "__main__":
    main()
