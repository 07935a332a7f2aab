"""What RSICD's mR is made of, and how far all that was found to raise it goes together: validation.

    python tests/benchmarks/bench_ceiling.py rsicd/captions.json --beside RSICD-ADAPTER

First people in place of a model: one, or four, of a picture's captions stand for it, and it is sought by the others, in
the frozen text tower and in the text side of the adapter. Then the adapter, one part more in each row: without its
bias, eight views (`bench_views.py`), a bias per caption from a bank of the set's own training pictures, one per picture
from its training captions (`hub_bias`: sharpness, strength), and the members of other adapters of the same towers
beside its own. The biases are chosen here, on validation itself, so the rows are upper bounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from turned import turned

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.pairs import PairSet
from geocmer.evaluation.recall import KS, Recall, recall
from geocmer.models.adapter import Adapter
from geocmer.models.backbone import Backbone
from geocmer.models.encoder import Encoder, l2_normalize
from geocmer.models.turns import VIEWS
from geocmer.training.feature_cache import default_cache, image_features
from geocmer.training.text_features import text_features
from geocmer.training.validation import image_vectors, text_vectors

BANK = 2000
"""Training captions, and pictures, of the biases."""
SHARPNESS, STRENGTH = (5, 10, 20, 30), (0.25, 0.5, 0.75, 1.0)

Floats = NDArray[np.float32]


def images_of(member: Adapter, backbone: Backbone, pairs: PairSet, rows: NDArray[np.int64]) -> Floats:
    """Embed pictures by one member, as unit vectors (n, dim)."""
    features = image_features(backbone, pairs, default_cache())
    return np.concatenate([v.numpy() for v in image_vectors(member, features, rows)])


def texts_of(member: Adapter, backbone: Backbone, texts: Sequence[str]) -> Floats:
    """Embed texts likewise; equal ones have equal vectors."""
    frozen = text_features(backbone, texts, default_cache())
    rows, same = np.unique(frozen.rows(texts), return_inverse=True)
    return np.concatenate([v.numpy() for v in text_vectors(member, frozen, rows)])[same]


def beside(parts: Sequence[Floats]) -> Floats:
    """Lay the vectors of members side by side: the cosine is the mean of theirs."""
    return l2_normalize(np.concatenate(parts, axis=1))


def bias(cosines: Floats, sharpness: float) -> Floats:
    """Compute how well each row does for the columns as such, see `hub_bias`."""
    result: Floats = np.log(np.exp(sharpness * cosines).mean(axis=1)) / sharpness
    return result - result.mean()


def people(
    captions: Sequence[str], vectors: Floats, owner: NDArray[np.int64], count: int, rng: np.random.Generator
) -> tuple[Recall, int]:
    """Let so many captions of each picture, drawn at random, stand for it, and those in other words seek it.

    Returns:
        The recalls, and how many pictures have captions in other words; all of them are found among.
    """
    means: list[Floats] = []
    sought: list[int] = []
    of: list[int] = []
    for number, own in enumerate(np.flatnonzero(owner == n) for n in range(int(owner.max()) + 1)):
        shown, rest = np.split(rng.permutation(own), [count])
        said = {captions[n] for n in shown}  # many pictures have the same sentence several times
        others = [int(n) for n in rest if captions[n] not in said]
        sought += others
        of += [number] * len(others)
        means.append(vectors[shown].mean(axis=0))
    cosines, right = l2_normalize(np.array(means)) @ vectors[sought].T, np.array(of)
    true = cosines[right, np.arange(len(right))]
    tied = (cosines == true).sum(axis=0) - 1
    ranks = (cosines > true).sum(axis=0) + rng.integers(0, tied + 1)  # ties in random order
    asking, row = np.unique(right, return_inverse=True)
    i2t = recall(cosines[asking], row).i2t
    return Recall(i2t, tuple(float(100 * (ranks < k).mean()) for k in KS)), len(asking)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--beside", nargs="*", type=Path, default=[], help="adapters of the same towers")
    parser.add_argument("--views", nargs="+", type=int, default=(1, VIEWS[-1]), choices=VIEWS)
    asked = parser.parse_args()
    whole = load_pairs(asked.pairs)
    pairs, train = whole.split("val"), whole.split("train")
    encoder, rng = Encoder.load(device="cpu"), np.random.default_rng(0)
    captions, owner = pairs.captions()
    assert encoder.adapter is not None  # it ships
    backbone, adapters = encoder.backbone, {"shipped": encoder.adapter}
    adapters |= {folder.name: Adapter.load(folder, backbone) for folder in asked.beside}
    members = [adapter.member(n) for adapter in adapters.values() for n in range(adapter.cfg.members)]
    ends = np.cumsum([adapter.cfg.members for adapter in adapters.values()]).tolist()
    groups = {name: slice(*of) for name, of in zip(adapters, pairwise([0, *ends]), strict=True)}
    if asked.beside:
        groups["all side by side"] = slice(0, len(members))

    print("| people in place of a model | i2t | t2i | mR |\n|---|---|---|---|")
    frozen = text_features(backbone, captions, default_cache())
    said = [texts_of(m, backbone, captions) for m in members]
    tower = l2_normalize(frozen.pooled[frozen.rows(captions)])
    sides = {"text tower": tower, "adapter": beside(said[groups["shipped"]])}
    for (name, vectors), count in product(sides.items(), (1, 4)):
        recalls, left = people(captions, vectors, owner, count, rng)
        show(f"{name}, {count} of the captions, {left} pictures", recalls)

    print("\n| adapter | i2t | t2i | mR |\n|---|---|---|---|")
    every, drawn = np.arange(len(pairs)), np.sort(rng.permutation(len(train))[:BANK])
    spoken = [train.pairs[n].captions[int(rng.integers(len(train.pairs[n].captions)))] for n in drawn]
    bank = [texts_of(m, backbone, spoken) for m in members]
    pictures = [images_of(m, backbone, train, drawn) for m in members]
    turns = [turned(pairs, n) for n in range(max(asked.views))]
    seen = [[images_of(m, backbone, view, every) for m in members] for view in turns]
    scenes = np.array([pair.scene for pair in pairs.pairs])
    for (group, some), count in product(groups.items(), asked.views):
        images = l2_normalize(np.mean([beside(view[some]) for view in seen[:count]], axis=0))
        texts, name = beside(said[some]), f"{group}, views: {count}"
        cosines = images @ texts.T
        show(name, recall(cosines, owner))
        for_texts, chosen = best(cosines, owner, texts @ beside(pictures[some]).T, 1)
        show(f"{name}, bias of captions {chosen}", recall(cosines - for_texts[None], owner))
        for_images, chosen = best(cosines, owner, images @ beside(bank[some]).T, 0)
        both = cosines - for_texts[None] - for_images[:, None]
        show(f"{name}, and of pictures {chosen}", recall(both, owner))
        right = float((scenes[both.argmax(axis=0)] == scenes[owner]).mean())
        print(f"| {name}: first answers to a caption of the right class | | {100 * right:.1f} | |", flush=True)


def best(cosines: Floats, owner: NDArray[np.int64], scores: Floats, axis: int) -> tuple[Floats, str]:
    """Choose sharpness and strength of a bias by the mean of the recalls that it moves."""
    found = {}
    for sharpness, strength in product(SHARPNESS, STRENGTH):
        off = strength * bias(scores, sharpness)
        figures = recall(cosines - (off[None] if axis else off[:, None]), owner)
        found[sharpness, strength] = float(np.mean(figures.i2t if axis else figures.t2i)), off
    chosen = max(found, key=lambda key: found[key][0])
    return found[chosen][1], f"{chosen[0]}, {chosen[1]:g}"


def show(name: str, found: Recall) -> None:
    """Print a row: the means of the recalls each way, and mR."""
    print(f"| {name} | {np.mean(found.i2t):.2f} | {np.mean(found.t2i):.2f} | {found.mean:.2f} |", flush=True)


if __name__ == "__main__":
    main()
