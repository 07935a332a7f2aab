"""Snow told from clouds and water: for which of the three words pictures of each score highest.

    python tests/benchmarks/bench_snow.py rsicd/captions.json clouds_desert/labels.json eurosat/labels.json \
        nwpu12/labels.json nwpu_extra7/labels.json [--store terramind]

Pictures of snow are those of `val` and `test` splits with a caption that speaks of it, those of clouds and water have
such a label, `val` alone. Of a store, tiles count of which half is snow, or water, by its land cover.
"""

from __future__ import annotations

import argparse

import numpy as np

from geocmer.datasets.label_captions import label_key
from geocmer.datasets.mixture import load_sets
from geocmer.models.encoder import Encoder
from geocmer.store.store import Store
from geocmer.store.vectors import to_numpy

WORDS = ("snow", "clouds", "water")
LABELS = {
    "cloud": "clouds",
    "cloudy": "clouds",
    "haze": "clouds",
    "sealake": "water",
    "river": "water",
    "lake": "water",
}
COVERS = {"Snow/ice": "snow", "Water": "water"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--store", help="tiled with a land cover that has Snow/ice and Water")
    asked = parser.parse_args()
    encoder = Encoder.load()
    texts = encoder.encode_texts(WORDS)
    print("| pictures | of | said to be " + " | ".join(WORDS) + " |\n|---|---|" + "---|" * len(WORDS))
    for each in load_sets(asked.sets):
        found: dict[str, list[np.ndarray]] = {}
        for pair in each.with_validation().pairs:
            kinds = {LABELS[label_key(label)] for label in pair.labels if label_key(label) in LABELS}
            speaks = not pair.labels and any("snow" in caption.lower() for caption in pair.captions)
            kind = "snow" if speaks else next(iter(kinds), None)
            if kind and pair.split in (("val", "test") if speaks else ("val",)):
                found.setdefault(kind, []).append(pair.image.pixels(encoder.backbone.size))
        for kind, pixels in sorted(found.items()):
            show(each.name, kind, encoder.encode_images(np.stack(pixels)) @ texts.T)
    if asked.store:
        snapshot = Store.open(asked.store).snapshot()
        column = snapshot.require_encoder(encoder.fingerprint).column
        scores: dict[str, list[np.ndarray]] = {}
        for batch in snapshot.scan([column, "labels", "fractions"]):
            vectors = to_numpy(batch[column])[0].astype(np.float64)
            for row, vector in zip(batch.select(["labels", "fractions"]).to_pylist(), vectors, strict=True):
                shares = dict(zip(row["labels"] or (), row["fractions"] or (), strict=True))
                for cover, kind in COVERS.items():
                    if shares.get(cover, 0) >= 0.5:
                        scores.setdefault(kind, []).append(vector @ texts.T)
        for kind, some in sorted(scores.items()):
            show(asked.store, kind, np.array(some))


def show(name: str, kind: str, scores: np.ndarray) -> None:
    """Print a row: how many pictures (n, 3) score highest for each word."""
    counts = np.bincount(scores.argmax(axis=1), minlength=len(WORDS))
    print(f"| {name} | {kind}, {len(scores)} | " + " | ".join(map(str, counts)) + " |", flush=True)


if __name__ == "__main__":
    main()
