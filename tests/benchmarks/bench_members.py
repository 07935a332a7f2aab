"""What a step of training changed, with its spread: two adapters of as many members, member by member.

    python tests/benchmarks/bench_members.py BEFORE AFTER rsicd/captions.json ucm/captions.json eurosat/labels.json \
        nwpu12/labels.json nwpu_extra7/labels.json [--weather clouds_desert/labels.json eurosat/labels.json \
        nwpu12/labels.json --store terramind]

Validation: mR of a captioned set, accuracy and P@20 of a labelled one in percent; with `--weather` the number of the
pictures of snow, clouds and water (see `bench_snow.py`) for which the right one of the three words comes first. The
members are trained from as many seeds, so the spread of their differences is that of the step: mean ± sd. Members have
neither bias nor captions; the adapters as a whole have theirs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_snow import COVERS, LABELS, WORDS
from numpy.typing import NDArray

from geocmer.datasets.label_captions import label_key
from geocmer.datasets.mixture import load_sets
from geocmer.datasets.pairs import Pair, PairSet
from geocmer.evaluation.class_retrieval import class_questions, class_scores
from geocmer.evaluation.recall import recall
from geocmer.imagery.images import ImageSource
from geocmer.models.adapter import Adapter
from geocmer.models.encoder import Encoder
from geocmer.store.store import Store
from geocmer.store.tile_images import TileImage, TileImageReader
from geocmer.training.feature_cache import default_cache, image_features
from geocmer.training.text_features import text_features
from geocmer.training.validation import image_vectors, text_vectors

Floats = NDArray[np.float32]


def vectors(encoder: Encoder, adapter: Adapter | None, pairs: PairSet, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """Embed the pictures of a set and texts, by a member of an encoder or by the whole of it."""
    whole = adapter or encoder.adapter
    assert whole is not None  # it was named
    features = image_features(encoder.backbone, pairs, default_cache())
    images = np.concatenate([v.numpy() for v in image_vectors(whole, features, np.arange(len(pairs)))])
    if adapter is None:
        unique, same = np.unique(list(texts), return_inverse=True)
        return images, encoder.encode_texts(unique.tolist())[same]
    frozen = text_features(encoder.backbone, texts, default_cache())
    return images, np.concatenate([v.numpy() for v in text_vectors(adapter, frozen, frozen.rows(texts))])


def figures(pairs: PairSet, encoder: Encoder, adapter: Adapter | None) -> list[float]:
    """Measure a member, or the whole, on a set: mR, or accuracy and P@20."""
    questions, (captions, owner) = class_questions(pairs), pairs.captions()
    if questions is None:
        images, texts = vectors(encoder, adapter, pairs, captions)
        return [recall(images @ texts.T, owner).mean]
    images, texts = vectors(encoder, adapter, pairs, questions[0])
    mean = class_scores(questions[0], images @ texts.T, questions[1])[-1]
    return [100 * mean.accuracy, 100 * mean.precision]


def told(pairs: PairSet, kind: str, encoder: Encoder, adapter: Adapter | None) -> list[float]:
    """Count the pictures of snow, clouds or water for which their word comes first of the three."""
    images, texts = vectors(encoder, adapter, pairs, WORDS)
    return [float(((images @ texts.T).argmax(axis=1) == WORDS.index(kind)).sum())]


def weather_pictures(sets: Sequence[PairSet], store: Path | None) -> dict[tuple[str, str], list[ImageSource]]:
    """Find the validation pictures with such a label, and the tiles with such land cover, by set or store and kind."""
    found: dict[tuple[str, str], list[ImageSource]] = {}
    for each in sets:
        for pair in each.with_validation().split("val").pairs:
            for kind in {LABELS[label_key(label)] for label in pair.labels if label_key(label) in LABELS}:
                found.setdefault((each.name, kind), []).append(pair.image)
    if store:
        opened = Store.open(store)
        reader = TileImageReader(opened)
        for batch in opened.snapshot().scan(["id", "scene_id", "row", "col", "labels", "fractions"]):
            for row in batch.to_pylist():
                shares = dict(zip(row["labels"] or (), row["fractions"] or (), strict=True))
                for cover, kind in COVERS.items():
                    if shares.get(cover, 0) >= 0.5:
                        tile = TileImage(reader, row["id"], row["scene_id"], row["row"], row["col"])
                        found.setdefault((store.name, kind), []).append(tile)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--weather", nargs="+", default=[])
    parser.add_argument("--store", type=Path, help="tiled with a land cover that has Snow/ice and Water")
    asked = parser.parse_args()
    before, after = (Encoder.load(adapter=folder, device="cpu") for folder in (asked.before, asked.after))
    after = replace(after, backbone=before.backbone)  # the same towers, loaded once
    print("| pictures | before | after | members before | after | difference |\n|---|---|---|---|---|---|")
    sets = [each.with_validation().split("val") for each in load_sets(asked.sets)]
    for pairs in sets:
        show(pairs.name, *([figures(pairs, e, m) for m in sides(e)] for e in (before, after)))
    for (name, kind), images in weather_pictures(load_sets(asked.weather), asked.store).items():
        pairs = PairSet(name, tuple(Pair(image, (), "val") for image in images))
        row = f"{name}: {kind}, {len(pairs)}"
        show(row, *([told(pairs, kind, e, m) for m in sides(e)] for e in (before, after)))


def sides(encoder: Encoder) -> list[Adapter | None]:
    """List the whole, as None, and the members of an encoder."""
    assert encoder.adapter is not None  # it was named
    return [None, *(encoder.adapter.member(n) for n in range(encoder.adapter.cfg.members))]


def show(name: str, before: list[list[float]], after: list[list[float]]) -> None:
    """Print a row of the figures of the whole and of each member, first and second."""
    wholes = [", ".join(f"{value:.2f}" for value in side[0]) for side in (before, after)]
    first, second = np.array(before[1:]), np.array(after[1:])
    members = [", ".join(_spread(column) for column in side.T) for side in (first, second, second - first)]
    print(f"| {name} | {' | '.join(wholes)} | {' | '.join(members)} |", flush=True)


def _spread(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.2f} ± {values.std(ddof=1):.2f}"


if __name__ == "__main__":
    main()
