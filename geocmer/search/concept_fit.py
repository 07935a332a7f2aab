"""Teaching a concept: regularised logistic regression on vectors, chosen, calibrated and measured by place.

1. The tiles are divided into folds by place (`spatial_folds`); each fold is scored by a fit to the other places.
2. Tiles that were only drawn from the store, as "no", are left out where they score as the yes tiles do: nobody looked
   at them, and a concept that is frequent would be taught against itself (the reliable negatives of Liu et al., 2002).
3. The strength of the regularisation is the one whose calibrated scores of the folds have the least log loss.
4. Scores become probabilities by Platt's sigmoid (1999), fitted to the scores of the folds: those of a fit to the same
   tiles would be too sure of themselves.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..datasets.spatial_split import spatial_folds
from ..errors import InputError
from ..store.vectors import EncoderInfo
from .concept import Concept, CrossValidation, Share

FOLDS = 5
MIN_TILES = 5
"""Tiles of each kind that teaching takes: one for each fold."""
STRENGTHS = tuple(float(c) for c in np.logspace(-4, 1, 6))
"""Inverse regularisations that are tried, on vectors brought to spread 1."""
UNSURE_QUANTILE = 0.1
"""A drawn tile that scores above this quantile of the yes tiles may show the concept."""

Folds = list[tuple[Rows, Rows]]


@dataclass(frozen=True, slots=True)
class Examples:
    """Tiles to teach with.

    Attributes:
        vectors: (n, dim) unit vectors.
        places: (n,) footprints in WGS84, cut at the antimeridian.
        shows: (n,) True for yes.
        drawn: (n,) True for tiles that nobody looked at, and that stand for no.
    """

    vectors: NDArray[np.floating[Any]]
    places: NDArray[np.object_]
    shows: NDArray[np.bool_]
    drawn: NDArray[np.bool_]

    def take(self, rows: NDArray[Any]) -> Examples:
        """Select examples by row, or by a mask."""
        return Examples(self.vectors[rows], self.places[rows], self.shows[rows], self.drawn[rows])


def fit_concept(examples: Examples, name: str, version: int, encoder: EncoderInfo, seed: int = 0) -> Concept:
    """Teach a concept.

    Args:
        examples: tiles that show it and tiles that do not.
        name: of the concept.
        version: of the concept.
        encoder: that made the vectors.
        seed: of all chance.

    Raises:
        InputError: too few tiles of a kind, or they lie in too few places to validate on others.
    """
    _require_enough(examples.shows)
    folds = _folds(examples, seed)
    middle = examples.vectors.astype(np.float64).mean(axis=0)
    spread = float((examples.vectors - middle).std()) or 1.0
    scores = _held_out(examples, folds, middle, spread, STRENGTHS[len(STRENGTHS) // 2])
    reliable = ~examples.drawn | (scores < np.quantile(scores[examples.shows], UNSURE_QUANTILE))
    if not reliable.all():
        examples = examples.take(reliable)
        _require_enough(examples.shows)
        folds = _folds(examples, seed)
    tried = [_held_out(examples, folds, middle, spread, strength) for strength in STRENGTHS]
    calibrated = [_calibrated(scores, examples.shows, folds) for scores in tried]
    best = int(np.argmin([_log_loss(p, examples.shows) for p in calibrated]))
    fit = _regression(STRENGTHS[best]).fit((examples.vectors - middle) / spread, examples.shows)
    slope, offset = _platt(tried[best], examples.shows)
    weights = slope * fit.coef_[0].astype(np.float64) / spread
    bias = slope * float(fit.intercept_[0]) + offset - float(weights @ middle)
    found = calibrated[best] >= 0.5
    right = int((found & examples.shows).sum())
    yes, drawn = int(examples.shows.sum()), int(examples.drawn.sum())
    measured = CrossValidation(
        yes=yes,
        no=len(found) - yes - drawn,
        drawn=drawn,
        folds=len(folds),
        precision=Share.of(right, int(found.sum())),
        recall=Share.of(right, yes),
    )
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return Concept(name, version, encoder, weights, bias, measured, now)


def _require_enough(shows: NDArray[np.bool_]) -> None:
    for word, count in (("show it", int(shows.sum())), ("do not show it", int((~shows).sum()))):
        if count < MIN_TILES:
            raise InputError(f"{count} tiles {word}, and teaching takes {MIN_TILES} of each kind; mark more of them")


def _folds(examples: Examples, seed: int) -> Folds:
    folds = [fold for fold in spatial_folds(examples.places, examples.shows, FOLDS, seed) if len(fold[1])]
    if not all(0 < examples.shows[train].sum() < len(train) for train, _ in folds):
        raise InputError(
            "the tiles lie in too few places: none of a kind is left to fit to where a fold and its neighbours are "
            "left out; mark some in other places"
        )
    return folds


def _regression(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)


def _held_out(examples: Examples, folds: Folds, middle: Float64s, spread: float, strength: float) -> Float64s:
    """Score each tile by a fit to tiles of other places, (n,) logits."""
    x = (examples.vectors - middle) / spread
    scores = np.empty(len(x))
    for train, held in folds:
        scores[held] = _regression(strength).fit(x[train], examples.shows[train]).decision_function(x[held])
    return scores


def _platt(scores: Float64s, shows: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit slope and offset from scores to calibrated logits, with Platt's targets: no tile is yes for certain.

    The slope is at least a little above 0, so that the order of the scores stays.
    """
    from sklearn.linear_model import LogisticRegression

    yes, no = int(shows.sum()), int((~shows).sum())
    target = np.where(shows, (yes + 1) / (yes + 2), 1 / (no + 2))
    scale = float(scores.std()) or 1.0
    twice = np.concatenate([scores, scores])[:, None] / scale
    answers = np.repeat([True, False], len(scores))
    fit = LogisticRegression(C=1e6).fit(twice, answers, sample_weight=np.concatenate([target, 1 - target]))
    return max(float(fit.coef_[0, 0]), 1e-3) / scale, float(fit.intercept_[0])


def _calibrated(scores: Float64s, shows: NDArray[np.bool_], folds: Folds) -> Float64s:
    """Turn scores into probabilities, those of each fold by the scores of the other folds."""
    p = np.empty(len(scores))
    for _, held in folds:
        others = np.setdiff1d(np.arange(len(scores)), held)
        slope, offset = _platt(scores[others], shows[others])
        p[held] = 1 / (1 + np.exp(-(slope * scores[held] + offset)))
    return p


def _log_loss(p: Float64s, shows: NDArray[np.bool_]) -> float:
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -float(np.where(shows, np.log(p), np.log(1 - p)).mean())
