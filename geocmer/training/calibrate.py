"""From pictures of which it is known what they show to the calibration of an adapter (`search.probability`).

Logistic regression with one feature (Platt 1999), the product of a picture with a concept's direction. Every concept
counts the same, its pictures together as `PREVALENCE`, the others as the rest. What the result is worth is measured on
concepts that were left out of the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Progress
from ..datasets.pairs import Pair, PairSet
from ..datasets.shown_concepts import ABSENT, SHOWN, UNKNOWN, ShownConcepts
from ..errors import InputError
from ..models.adapter import Adapter
from ..models.backbone import Backbone
from ..models.encoder import Encoder, captions_of, fingerprint_of, l2_normalize
from ..search.probability import LIKELY, PREVALENCE, Calibration, background

MAX_IMAGES = 4096
"""Pictures that are looked at: more move the two constants by less than what another set does."""
MIN_CONCEPTS = 3
"""Concepts to fit on, or nothing can be said of others."""
FOLDS = 5
"""Parts that the concepts are divided into; each is tested by a fit on the others."""
STORE_TILES, STORE_SHOWN, STORES = 300, 5, 20
"""Tiles of the stores that are drawn to test "nothing here", those of them that show the concept, and stores drawn."""
ALIKE = 0.4
"""Cosine of two texts in the text tower, less the mean of the background concepts, from which on they mean much the
same: "highway" and "freeway" have 0.73, "farmland" and "agricultural" 0.67, "river" and "lake" 0.31."""
IMAGE_BATCH = 64
"""Pictures held at once."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """What probabilities are worth, measured on concepts that were left out of the fit.

    Attributes:
        concepts: how many.
        images: how many.
        calibration_error: expected calibration error: mean difference between what was said and what was so.
        log_loss: mean of -log of the probability of what was so, nats.
        prior_loss: the same if every picture had the prevalence.
        pooled: average precision over all concepts at once, by probability.
        pooled_cosine: the same by the plain cosine.
        false_alarms: share of stores without a concept in which a tile is said to be likely to show it.
        misses: share of stores with it in which none is.
        said: (b,) mean probability of the pictures in each of b bins.
        found: (b,) share of them that show the concept.
        weight: (b,) share of all that a bin holds.
    """

    concepts: int
    images: int
    calibration_error: float
    log_loss: float
    prior_loss: float
    pooled: float
    pooled_cosine: float
    false_alarms: float
    misses: float
    said: tuple[float, ...]
    found: tuple[float, ...]
    weight: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Make a record of it, rounded."""
        counts = {"concepts": self.concepts, "images": self.images}
        names = ("calibration_error", "log_loss", "prior_loss", "pooled", "pooled_cosine", "false_alarms", "misses")
        return {**counts, **{name: round(getattr(self, name), 4) for name in names}}

    def lines(self) -> list[str]:
        """Describe it for a person."""
        bins = zip(self.said, self.found, self.weight, strict=True)
        return [
            f"{self.concepts} concepts left out in turn, {self.images} pictures, prevalence {PREVALENCE:.0%}",
            f"calibration error {self.calibration_error:.4f}, log loss {self.log_loss:.4f} (prevalence alone "
            f"{self.prior_loss:.4f})",
            f"average precision over all concepts {self.pooled:.3f} (cosine {self.pooled_cosine:.3f})",
            f"stores of {STORE_TILES} tiles: without the concept a tile is called likely in {self.false_alarms:.0%}, "
            f"with {STORE_SHOWN} tiles of it none is in {self.misses:.0%}",
            *(f"said {said:6.1%}  so {found:6.1%}  share {weight:.4%}" for said, found, weight in bins),
        ]


def calibrate(
    encoder: Encoder, sets: Sequence[PairSet], progress: Progress | None = None, seed: int = 0
) -> tuple[Calibration, Reliability]:
    """Make the calibration of an encoder, and measure it.

    Args:
        encoder: with an adapter, or a CLIP.
        sets: of their `val` splits the pictures are taken, which the adapter was not trained on.
        progress: called with (done, total) pictures.
        seed: of the draw of pictures, of folds and stores.

    Raises:
        InputError: too little is known of what the pictures show, one cannot be read, or the model has learnt nothing.
    """
    rng = np.random.default_rng(seed)
    pairs = [pair for each in sets if each.has_split("val") for pair in each.split("val").pairs]
    if len(pairs) > MAX_IMAGES:
        pairs = [pairs[i] for i in np.sort(rng.choice(len(pairs), MAX_IMAGES, replace=False))]
    shown = ShownConcepts.of(pairs, background(), lambda a, b: _alike(encoder, a, b))
    if len(shown.texts) < MIN_CONCEPTS:
        raise InputError(
            f"{len(shown.texts)} concepts are shown by enough of the {len(pairs)} validation pictures, and "
            f"{MIN_CONCEPTS} are needed; give sets with labels, scenes, or captions that name what there is"
        )
    others = encoder.encode_texts(background()).astype(np.float64).mean(axis=0)
    concepts = encoder.encode_texts(shown.texts).astype(np.float64)
    images = _vectors(encoder, pairs, progress)
    products, cosines = images @ (concepts - others).T, images @ concepts.T
    slope, offset = fit(products, shown.known)
    if slope <= 0:
        raise InputError("words and pictures do not go together in this model; train it longer, or on more pictures")
    return Calibration(others, slope, offset), measure(products, cosines, shown.known, rng)


def calibrate_adapter(folder: Path, backbone: Backbone, sets: Sequence[PairSet]) -> Reliability | str:
    """Calibrate an adapter that has just been trained, and write the calibration beside it.

    Returns:
        What it is worth, or why there is none.
    """
    adapter = Adapter.load(folder, backbone)
    fingerprint, captions = fingerprint_of(folder, backbone.fingerprint), captions_of(folder, adapter.cfg)
    encoder = Encoder(backbone, adapter, str(folder.resolve()), fingerprint, adapter.cfg.dim, captions)
    try:
        calibration, found = calibrate(encoder, sets)
    except InputError as error:
        return f"hits will have no probability: {error}"
    calibration.save(folder, encoder.fingerprint)
    return found


def fit(products: Float64s, known: NDArray[np.int8]) -> tuple[float, float]:
    """Fit slope and offset of the log odds by Newton's method.

    Args:
        products: (n, c) of pictures and the directions of concepts.
        known: (n, c) what the pictures show.
    """
    use = known != UNKNOWN
    x, y, w = products[use], (known == SHOWN)[use].astype(float), _weights(known)[use]
    centre, scale = float(np.average(x, weights=w)), float(x.std()) or 1.0
    features = np.column_stack([(x - centre) / scale, np.ones(len(x))])
    beta = np.array([1.0, np.log(PREVALENCE / (1 - PREVALENCE))])
    ridge = np.diag([1e-6, 1e-9])  # a slope without end, where a set is told apart without an error, is held back
    for _ in range(100):
        p = _sigmoid(features @ beta)
        gradient = features.T @ (w * (p - y)) + ridge @ beta
        hessian = (features * (w * np.maximum(p * (1 - p), 1e-12))[:, None]).T @ features + ridge
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, 2.0 / float(np.abs(step).max() or 1.0))
        beta -= step
        if np.abs(step).max() < 1e-9:
            break
    return float(beta[0] / scale), float(beta[1] - beta[0] * centre / scale)


def measure(products: Float64s, cosines: Float64s, known: NDArray[np.int8], rng: np.random.Generator) -> Reliability:
    """Measure what probabilities are worth on concepts that a fit has not seen, nor the pictures that show them."""
    count = known.shape[1]
    fold = rng.permutation(count) % min(FOLDS, count)
    p = np.empty_like(products)
    for part in range(int(fold.max()) + 1):
        held = fold == part
        seen = ~(known[:, held] == SHOWN).any(axis=1)
        slope, offset = fit(products[seen][:, ~held], known[seen][:, ~held])
        p[:, held] = _sigmoid(slope * products[:, held] + offset)
    use, weights = known != UNKNOWN, _weights(known)
    q, y, w = np.clip(p[use], 1e-12, 1 - 1e-12), (known == SHOWN)[use].astype(float), weights[use] / weights.sum()
    edges = np.r_[0, 0.001, 0.003, 0.01, 0.03, np.arange(0.1, 1, 0.1), 1.0]
    bins = np.clip(np.digitize(q, edges) - 1, 0, len(edges) - 2)
    weight = np.bincount(bins, w, len(edges) - 1)
    said, found = (np.bincount(bins, w * v, len(edges) - 1) / np.maximum(weight, 1e-300) for v in (q, y))
    false_alarms, misses = _stores(p, known, rng)
    prior = PREVALENCE * np.log(PREVALENCE) + (1 - PREVALENCE) * np.log(1 - PREVALENCE)
    filled = weight > 0
    return Reliability(
        concepts=count,
        images=len(products),
        calibration_error=float(weight @ np.abs(said - found)),
        log_loss=float(-w @ (y * np.log(q) + (1 - y) * np.log1p(-q))),
        prior_loss=float(-prior),
        pooled=_average_precision(q, y, w),
        pooled_cosine=_average_precision(cosines[use], y, w),
        false_alarms=false_alarms,
        misses=misses,
        said=tuple(said[filled].tolist()),
        found=tuple(found[filled].tolist()),
        weight=tuple(weight[filled].tolist()),
    )


def _stores(p: Float64s, known: NDArray[np.int8], rng: np.random.Generator) -> tuple[float, float]:
    """Draw stores without each concept and with it; count how often "nothing here" would be wrong."""
    false_alarms, misses = [], []
    for concept in range(known.shape[1]):
        without, with_it = (p[known[:, concept] == kind, concept] for kind in (ABSENT, SHOWN))
        for _ in range(STORES):
            best = rng.choice(without, STORE_TILES).max()
            false_alarms.append(best >= LIKELY)
            misses.append(max(best, rng.choice(with_it, STORE_SHOWN).max()) < LIKELY)
    return float(np.mean(false_alarms)), float(np.mean(misses))


def _weights(known: NDArray[np.int8]) -> Float64s:
    """Weigh pictures (n, c) so that each concept counts 1 and is shown by `PREVALENCE` of them."""
    shown, absent = known == SHOWN, known == ABSENT
    shares = PREVALENCE * shown / np.maximum(shown.sum(axis=0), 1)
    shares = shares + (1 - PREVALENCE) * absent / np.maximum(absent.sum(axis=0), 1)
    result: Float64s = shares / known.shape[1]
    return result


def _average_precision(scores: Float64s, shown: Float64s, weights: Float64s) -> float:
    order = np.argsort(-scores, kind="stable")
    hits = weights[order] * shown[order]
    return float((np.cumsum(hits) / np.cumsum(weights[order]) * hits).sum() / hits.sum())


def _sigmoid(logits: Float64s) -> Float64s:
    result: Float64s = 1 / (1 + np.exp(-np.clip(logits, -200, 200)))
    return result


def _alike(encoder: Encoder, first: Sequence[str], second: Sequence[str]) -> NDArray[np.bool_]:
    """Judge which texts mean much the same, by the text tower alone."""
    if not first or not second:
        return np.zeros((len(first), len(second)), bool)
    parts = [encoder.backbone.text(texts).pooled.float().cpu().numpy() for texts in (background(), first, second)]
    common, a, b = (l2_normalize(part) for part in parts)
    centred = [l2_normalize(part - common.mean(axis=0)) for part in (a, b)]
    result: NDArray[np.bool_] = centred[0] @ centred[1].T >= ALIKE
    return result


def _vectors(encoder: Encoder, pairs: Sequence[Pair], progress: Progress | None) -> Float64s:
    """Embed pictures, rounded as a store rounds them, (n, dim)."""
    size, parts = encoder.backbone.size, []
    for start in range(0, len(pairs), IMAGE_BATCH):
        some = pairs[start : start + IMAGE_BATCH]
        vectors = encoder.encode_images(np.stack([pair.image.pixels(size) for pair in some]))
        parts.append(vectors.astype(np.float16).astype(np.float64))
        if progress:
            progress(start + len(some), len(pairs))
    return np.concatenate(parts)
