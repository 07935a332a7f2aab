"""What the probability of a search with `--minus` is worth, by the prevalence assumed of what must not be shown.

    python tests/benchmarks/bench_minus.py rsicd/captions.json ucm/captions.json eurosat/labels.json \
        nwpu12/labels.json nwpu_extra7/labels.json clouds_desert/labels.json ships/labels.json wildfire_s2/labels.json

Validation pictures of each set, and mosaics of them, as `geocmer calibrate` looks at them. Asked for is a concept minus
another that at least two of its twenty best pictures show: what a user would name. Right is a picture that shows the
first and not the second. One picture in a hundred shows the first, as everywhere; how many of these show the second as
well is left as it is. Each question counts the same.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from geocmer.datasets.mixture import load_sets
from geocmer.datasets.shown_concepts import ABSENT, SHOWN, UNKNOWN
from geocmer.models.encoder import Encoder
from geocmer.search.probability import PREVALENCE, calibration_of
from geocmer.training.calibrate import EmbeddedImages, alike, embed_images

BEST, NAMED, MIN_SHOWN, MIN_PICTURES = 20, 2, 5, 60
"""Best pictures that are looked at, those of them that show the second concept, and the least of a set that counts."""
EDGES = np.r_[0.1, 0.3, 0.5, 0.7, 0.9, 1.0]
"""Of the bins of the reliability."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Minus:
    """A question: its set, its two concepts, the pictures of which both are known, which show the first, and which
    are right.
    """

    set: int
    first: int
    second: int
    rows: NDArray[np.intp]
    shown: NDArray[np.bool_]
    right: NDArray[np.bool_]

    def weights(self) -> Floats:
        """Let `PREVALENCE` of the pictures show the first concept."""
        there, missing = PREVALENCE / self.shown.sum(), (1 - PREVALENCE) / (~self.shown).sum()
        result: Floats = np.where(self.shown, there, missing)
        return result


def questions(embedded: EmbeddedImages, concepts: Floats, same: NDArray[np.bool_]) -> list[Minus]:
    """Find what a user may ask for: see the head."""
    found = []
    for number, whole in product(np.unique(embedded.sets), (True, False)):
        rows = np.flatnonzero((embedded.sets == number) & (embedded.whole == whole))
        if len(rows) < MIN_PICTURES:
            continue
        known, cosines = embedded.known[rows], embedded.images[rows] @ concepts.T
        for a, b in product(range(len(embedded.texts)), repeat=2):
            best = np.argsort(-cosines[:, a])[:BEST]
            if a == b or same[a, b] or (known[best, b] == SHOWN).sum() < NAMED:
                continue
            both = (known[:, [a, b]] != UNKNOWN).all(axis=1)
            shown, lacks = known[both, a] == SHOWN, known[both, b] == ABSENT
            if (shown & lacks).sum() >= MIN_SHOWN and (~shown).sum() >= MIN_SHOWN:
                found.append(Minus(int(number), a, b, rows[both], shown, shown & lacks))
    return found


def figures(asked: list[Minus], odds: Floats, prevalence: float) -> tuple[float, float, float, Floats]:
    """Compute log loss, calibration error, average precision, and the predicted and observed shares by bin.

    Args:
        asked: questions.
        odds: (n, c) log odds of pictures and concepts, at `PREVALENCE`.
        prevalence: of the second concept among the pictures that show the first.
    """
    moved = np.log(prevalence / (1 - prevalence)) - np.log(PREVALENCE / (1 - PREVALENCE))
    p = np.concatenate([_share(odds[q.rows, q.first]) * _share(-odds[q.rows, q.second] - moved) for q in asked])
    y = np.concatenate([q.right for q in asked])
    w = np.concatenate([q.weights() for q in asked]) / len(asked)
    held = np.clip(p, 1e-9, 1 - 1e-9)
    loss = -float(w @ np.where(y, np.log(held), np.log1p(-held)))
    order = np.argsort(-p, kind="stable")
    hits = (w * y)[order]
    precision = float((np.cumsum(hits) / np.cumsum(w[order]) * hits).sum() / hits.sum())
    fine = np.digitize(p, [0.01, 0.05, *np.arange(0.1, 1, 0.1)])
    error = sum(abs(float(w[fine == one] @ (p - y)[fine == one])) for one in np.unique(fine))
    bins = np.digitize(p, EDGES)
    filled = [bins == n for n in range(1, len(EDGES)) if (bins == n).any()]
    pairs = [[w[one] @ v[one] / w[one].sum() for v in (p, y)] for one in filled]
    return loss, error, precision, np.array(pairs)


def _share(odds: Floats) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(odds, -200, 200)))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--prevalences", default="0.01,0.03,0.05,0.1,0.2,0.3,0.5")
    asked = parser.parse_args()
    encoder, sets = Encoder.load(device="cpu"), [each.with_validation() for each in load_sets(asked.sets)]
    calibration = calibration_of(encoder)
    assert calibration is not None  # it ships
    embedded = embed_images(encoder, sets, np.random.default_rng(0))
    concepts = encoder.encode_texts(embedded.texts).astype(np.float64)
    odds = calibration.slope * (embedded.images @ calibration.directions(concepts).T) + calibration.offset
    found = questions(embedded, concepts, alike(encoder, embedded.texts, embedded.texts))
    of_set = {n: [q for q in found if q.set == n] for n in sorted({q.set for q in found})}
    print(f"{len(found)} questions: {', '.join(f'{sets[n].name} {len(some)}' for n, some in of_set.items())}\n")
    print("| prevalence | log loss | calibration error | AP | predicted: observed | log loss by set |")
    print("|---|---|---|---|---|---|")
    for prevalence in map(float, asked.prevalences.split(",")):
        loss, error, precision, bins = figures(found, odds, prevalence)
        shares = ", ".join(f"{p:.2f}: {y:.2f}" for p, y in bins)
        by_set = ", ".join(f"{figures(some, odds, prevalence)[0]:.4f}" for some in of_set.values())
        print(f"| {prevalence:g} | {loss:.5f} | {error:.5f} | {precision:.3f} | {shares} | {by_set} |", flush=True)


if __name__ == "__main__":
    main()
