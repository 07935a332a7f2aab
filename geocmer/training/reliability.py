"""What a calibration is worth, on concepts and on sets of pictures that its fit has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s
from ..datasets.shown_concepts import ABSENT, SHOWN, UNKNOWN
from ..search.probability import LIKELY, POSSIBLE, PREVALENCE

FOLDS = 5
"""Parts that the concepts are divided into; each is tested by a fit on the others."""
STORE_TILES, STORE_SHOWN, STORES = 300, 5, 20
"""Tiles of the stores that are drawn to test "nothing here", those of them that show the concept, and stores drawn."""
MIN_SHOWN = 5
"""Pictures of a set that show a concept, or the set does not count for it."""
EDGES = np.r_[0, 0.001, 0.003, 0.01, 0.03, np.arange(0.1, 1, 0.1), 1.0]
"""Of the bins of probabilities."""

Fit = Callable[[Float64s, NDArray[np.int8], Float64s], tuple[float, float, float]]
"""Fits slope, offset and hub_weight to products (n, c), what is known (n, c) and biases (n,)."""


@dataclass(frozen=True, slots=True)
class KnownImages:
    """Pictures of which it is known what they show, and how a model sees them.

    Attributes:
        products: (n, c) with the directions of concepts.
        bias: (n,) against hubs; 0 for a model without it.
        known: (n, c) SHOWN, ABSENT or UNKNOWN.
        sets: (n,) number of the set that a picture is of.
        names: of the sets.
        whole: (n,) False for a mosaic.
    """

    products: Float64s
    bias: Float64s
    known: NDArray[np.int8]
    sets: NDArray[np.intp]
    names: tuple[str, ...]
    whole: NDArray[np.bool_]

    def rows(self, rows: NDArray[np.bool_]) -> KnownImages:
        """Take some of the pictures."""
        return replace(
            self, products=self.products[rows], bias=self.bias[rows], known=self.known[rows], sets=self.sets[rows],
            whole=self.whole[rows],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoreAnswers:
    """What is said of drawn stores with a concept and without it, shares of them.

    Attributes:
        false_alarms: of those without it, a tile is called likely.
        correct_rejections: of those without it, none even possible: "nothing here" is said, and right.
        misses: of those with it, no tile is called likely.
        denials: of those with it, none even possible: "nothing here" is said, and wrong.
    """

    false_alarms: float
    correct_rejections: float
    misses: float
    denials: float

    def line(self, name: str) -> str:
        """Describe it for a person."""
        return (
            f"stores of {STORE_TILES} {name}: without the concept a tile is called likely in {self.false_alarms:.0%}, "
            f"nothing in {self.correct_rejections:.0%}; with {STORE_SHOWN} of it none is likely in {self.misses:.0%}, "
            f"nothing is said in {self.denials:.0%}"
        )


@dataclass(frozen=True, slots=True)
class HeldOutSet:
    """What probabilities are worth on a set that was left out of the fit: a sensor that the calibration never saw."""

    name: str
    concepts: int
    calibration_error: float
    log_loss: float
    stores: StoreAnswers

    def line(self) -> str:
        """Describe it for a person."""
        return (
            f"without {self.name}, on it: {self.concepts} concepts, calibration error {self.calibration_error:.4f}, log"
            f" loss {self.log_loss:.4f}, likely though absent {self.stores.false_alarms:.0%}, denied though there "
            f"{self.stores.denials:.0%}"
        )


@dataclass(frozen=True, slots=True)
class Reliability:
    """What probabilities are worth, measured on concepts that were left out of the fit.

    Attributes:
        concepts: how many.
        images: how many pictures, mosaics included.
        calibration_error: expected calibration error: mean difference between predicted probability and observed share.
        log_loss: mean of -log of the probability of what was so, nats.
        prior_loss: the same if every picture had the prevalence.
        pooled: average precision over all concepts at once, by probability.
        pooled_cosine: the same by the plain cosine.
        stores: of pictures that show a concept as a whole.
        parts: of mosaics, which show it in a part.
        unseen: for each set that was left out of a fit.
        predicted: (b,) mean probability of the pictures in each of b bins.
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
    stores: StoreAnswers
    parts: StoreAnswers | None
    unseen: tuple[HeldOutSet, ...]
    predicted: tuple[float, ...]
    found: tuple[float, ...]
    weight: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Make a record of it, rounded."""
        names = ("calibration_error", "log_loss", "prior_loss", "pooled", "pooled_cosine")
        values = {name: round(getattr(self, name), 4) for name in names}
        answers = {
            name: round(getattr(self.stores, name), 4)
            for name in ("false_alarms", "correct_rejections", "misses", "denials")
        }
        left_out = {
            one.name: {"calibration_error": round(one.calibration_error, 4), "log_loss": round(one.log_loss, 4)}
            for one in self.unseen
        }
        return {"concepts": self.concepts, "images": self.images, **values, **answers, "unseen": left_out}

    def lines(self) -> list[str]:
        """Describe it for a person."""
        bins = zip(self.predicted, self.found, self.weight, strict=True)
        return [
            f"{self.concepts} concepts left out in turn, {self.images} pictures, prevalence {PREVALENCE:.0%}",
            f"calibration error {self.calibration_error:.4f}, log loss {self.log_loss:.4f} (prevalence alone "
            f"{self.prior_loss:.4f})",
            f"average precision over all concepts {self.pooled:.3f} (cosine {self.pooled_cosine:.3f})",
            self.stores.line("tiles"),
            *([] if self.parts is None else [self.parts.line("mosaics")]),
            *(one.line() for one in self.unseen),
            *(
                f"predicted {predicted:6.1%}  observed {found:6.1%}  share {weight:.4%}"
                for predicted, found, weight in bins
            ),
        ]


def measure(seen: KnownImages, cosines: Float64s, fit: Fit, rng: np.random.Generator) -> Reliability:
    """Measure what probabilities are worth on concepts that a fit has not seen, nor the pictures that show them.

    Args:
        seen: all pictures.
        cosines: (n, c) with the concepts, to compare with.
        fit: see `Fit`.
        rng: of the folds and the stores.
    """
    known, count = seen.known, seen.known.shape[1]
    fold = rng.permutation(count) % min(FOLDS, count)
    p = np.empty_like(seen.products)
    for part in range(int(fold.max()) + 1):
        held = fold == part
        rows = ~(known[:, held] == SHOWN).any(axis=1)
        found = fit(seen.products[rows][:, ~held], known[rows][:, ~held], seen.bias[rows])
        p[:, held] = _probabilities(seen.products[:, held], seen.bias, found)
    loss, predicted, observed, weight = _losses(p, known)
    use = known != UNKNOWN
    y, w = (known == SHOWN)[use].astype(float), prevalence_weights(known)[use]
    filled = weight > 0
    return Reliability(
        concepts=count,
        images=len(seen.products),
        calibration_error=float(weight @ np.abs(predicted - observed)),
        log_loss=loss,
        prior_loss=float(-PREVALENCE * np.log(PREVALENCE) - (1 - PREVALENCE) * np.log(1 - PREVALENCE)),
        pooled=_average_precision(p[use], y, w),
        pooled_cosine=_average_precision(cosines[use], y, w),
        stores=_stores(p[seen.whole], known[seen.whole], rng),
        parts=None if seen.whole.all() else _stores(p[~seen.whole], known[~seen.whole], rng),
        unseen=tuple(_leave_sets_out(seen, fit, rng)),
        predicted=tuple(predicted[filled].tolist()),
        found=tuple(observed[filled].tolist()),
        weight=tuple(weight[filled].tolist()),
    )


def _leave_sets_out(seen: KnownImages, fit: Fit, rng: np.random.Generator) -> list[HeldOutSet]:
    """Fit without each set, and measure on it the concepts that some of its pictures show and others do not."""
    results = []
    for number, name in enumerate(seen.names):
        mine = seen.sets == number
        held, rest = seen.rows(mine & seen.whole), seen.rows(~mine)
        counts = [(held.known == kind).sum(axis=0) >= MIN_SHOWN for kind in (SHOWN, ABSENT)]
        usable = counts[0] & counts[1]
        if not usable.any() or not (rest.known == SHOWN).any(axis=0).sum() > 1:
            continue
        p = _probabilities(held.products, held.bias, fit(rest.products, rest.known, rest.bias))[:, usable]
        known = held.known[:, usable]
        loss, predicted, observed, weight = _losses(p, known)
        error = float(weight @ np.abs(predicted - observed))
        results.append(HeldOutSet(name, int(usable.sum()), error, loss, _stores(p, known, rng)))
    return results


def _probabilities(products: Float64s, bias: Float64s, found: tuple[float, float, float]) -> Float64s:
    slope, offset, hub_weight = found
    logits = slope * (products + hub_weight * bias[:, None]) + offset
    result: Float64s = 1 / (1 + np.exp(-np.clip(logits, -200, 200)))
    return result


def _losses(p: Float64s, known: NDArray[np.int8]) -> tuple[float, Float64s, Float64s, Float64s]:
    """Compute the log loss, and per bin the predicted, the observed and the share of all; prevalence as assumed."""
    use, weights = known != UNKNOWN, prevalence_weights(known)
    q, y, w = np.clip(p[use], 1e-12, 1 - 1e-12), (known == SHOWN)[use].astype(float), weights[use] / weights.sum()
    bins = np.clip(np.digitize(q, EDGES) - 1, 0, len(EDGES) - 2)
    weight = np.asarray(np.bincount(bins, w, len(EDGES) - 1), np.float64)
    predicted, observed = (np.bincount(bins, w * v, len(EDGES) - 1) / np.maximum(weight, 1e-300) for v in (q, y))
    return float(-w @ (y * np.log(q) + (1 - y) * np.log1p(-q))), predicted, observed, weight


def _stores(p: Float64s, known: NDArray[np.int8], rng: np.random.Generator) -> StoreAnswers:
    """Draw stores without each concept and with it; count what would be said of them."""
    best_without, best_with = [], []
    for concept in range(known.shape[1]):
        without, with_it = (p[known[:, concept] == kind, concept] for kind in (ABSENT, SHOWN))
        if not len(without) or not len(with_it):
            continue
        for _ in range(STORES):
            best = rng.choice(without, STORE_TILES).max()
            best_without.append(best)
            best_with.append(max(best, rng.choice(with_it, STORE_SHOWN).max()))
    absent, present = np.array(best_without), np.array(best_with)
    return StoreAnswers(
        float(np.mean(absent >= LIKELY)), float(np.mean(absent < POSSIBLE)), float(np.mean(present < LIKELY)),
        float(np.mean(present < POSSIBLE)),
    )  # fmt: skip


def prevalence_weights(known: NDArray[np.int8]) -> Float64s:
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
