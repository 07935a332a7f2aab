"""From pictures of which it is known what they show to the calibration of an adapter (`search.probability`).

Logistic regression (Platt 1999) with two features, the product of a picture with a concept's direction and the
picture's bias against hubs. Every concept counts the same, its pictures together as `PREVALENCE`, the others as the
rest. Mosaics of the pictures are looked at as well, since of a user's tile often a part alone shows what is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Progress
from ..datasets.mosaics import shown_mosaics
from ..datasets.pairs import PairSet
from ..datasets.shown_concepts import SHOWN, UNKNOWN, ShownConcepts
from ..errors import InputError
from ..imagery.images import ImageSource
from ..models.adapter import Adapter
from ..models.backbone import Backbone
from ..models.encoder import Encoder, captions_of, fingerprint_of, l2_normalize
from ..search.probability import PREVALENCE, Calibration, background
from .reliability import KnownImages, Reliability, measure, prevalence_weights

MAX_IMAGES = 4096
"""Pictures that are looked at: more move the constants by less than what another set does."""
MOSAIC_SHARE = 0.5
"""Mosaics for each picture."""
MIN_CONCEPTS = 3
"""Concepts to fit on, or nothing can be said of others."""
MIN_ALIKE_COSINE = 0.4
"""Cosine of two texts in the text tower, less the mean of the background concepts, from which on they mean much the
same: "highway" and "freeway" have 0.73, "farmland" and "agricultural" 0.67, "river" and "lake" 0.31."""
IMAGE_BATCH = 64
"""Pictures held at once."""


def calibrate(
    encoder: Encoder, sets: Sequence[PairSet], progress: Progress | None = None, seed: int = 0
) -> tuple[Calibration, Reliability]:
    """Make the calibration of an encoder, and measure it.

    Args:
        encoder: with an adapter, or a CLIP.
        sets: of their `val` splits the pictures are taken, which the adapter was not trained on.
        progress: called with (done, total) pictures.
        seed: of the draw of pictures and mosaics, of folds and stores.

    Raises:
        InputError: too little is known of what the pictures show, one cannot be read, or the model has learnt nothing.
    """
    rng = np.random.default_rng(seed)
    embedded = embed_images(encoder, sets, rng, progress)
    concepts = encoder.encode_texts(embedded.texts).astype(np.float64)
    others = encoder.encode_texts(background()).astype(np.float64).mean(axis=0)
    images, plain = embedded.images, Calibration(others, 1.0, 0.0)
    seen = KnownImages(
        products=images @ plain.directions(concepts).T,
        bias=images[:, -1] if _has_bias(encoder) else np.zeros(len(images)),
        known=embedded.known,
        sets=embedded.sets,
        names=tuple(each.name for each in sets),
        whole=embedded.whole,
    )
    slope, offset, hub_weight = fit(seen.products, seen.known, seen.bias)
    if slope <= 0:
        raise InputError("words and pictures do not go together in this model; train it longer, or on more pictures")
    return Calibration(others, slope, offset, hub_weight), measure(seen, images @ concepts.T, fit, rng)


@dataclass(frozen=True, slots=True)
class EmbeddedImages:
    """Pictures and mosaics of them as a model sees them.

    Attributes:
        images: vectors (n, dim), rounded as a store rounds them.
        texts: the concepts, c.
        known: (n, c) SHOWN, ABSENT or UNKNOWN.
        sets: (n,) number of the set that a picture is of.
        whole: (n,) False for a mosaic.
    """

    images: Float64s
    texts: tuple[str, ...]
    known: NDArray[np.int8]
    sets: NDArray[np.intp]
    whole: NDArray[np.bool_]


def embed_images(
    encoder: Encoder, sets: Sequence[PairSet], rng: np.random.Generator, progress: Progress | None = None
) -> EmbeddedImages:
    """Embed the validation pictures of sets and mosaics of them, and find out which concepts they show.

    Args:
        encoder: with an adapter, or a CLIP.
        sets: of their `val` splits the pictures are taken.
        rng: of the draw of pictures and mosaics.
        progress: called with (done, total) pictures.

    Raises:
        InputError: too little is known of what the pictures show, or one cannot be read.
    """
    owned = [(pair, n) for n, each in enumerate(sets) if each.has_split("val") for pair in each.split("val").pairs]
    if len(owned) > MAX_IMAGES:
        owned = [owned[i] for i in np.sort(rng.choice(len(owned), MAX_IMAGES, replace=False))]
    pairs, of_set = [pair for pair, _ in owned], np.array([n for _, n in owned], np.intp)
    shown = ShownConcepts.of(pairs, background(), lambda a, b: alike(encoder, a, b))
    if len(shown.texts) < MIN_CONCEPTS:
        raise InputError(
            f"{len(shown.texts)} concepts are shown by enough of the {len(pairs)} validation pictures, and "
            f"{MIN_CONCEPTS} are needed; give sets with labels, scenes, or captions that name what there is"
        )
    mosaics, known, parts_of = shown_mosaics(pairs, shown.known, of_set, round(MOSAIC_SHARE * len(pairs)), rng)
    images = _vectors(encoder, [*(pair.image for pair in pairs), *mosaics], progress)
    return EmbeddedImages(
        images, shown.texts, np.concatenate([shown.known, known]), np.concatenate([of_set, parts_of]),
        np.arange(len(images)) < len(pairs),
    )  # fmt: skip


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
    if found.log_loss > found.prior_loss:
        return (
            f"hits will have no probability: on concepts left out, theirs would be worse than the prevalence alone "
            f"(log loss {found.log_loss:.4f} for {found.prior_loss:.4f}); `geocmer calibrate` makes one of more sets"
        )
    calibration.save(folder, encoder.fingerprint)
    return found


def fit(products: Float64s, known: NDArray[np.int8], bias: Float64s | None = None) -> tuple[float, float, float]:
    """Fit the log odds slope * (product + hub_weight * bias) + offset by Newton's method.

    Args:
        products: (n, c) of pictures and the directions of concepts.
        known: (n, c) what the pictures show.
        bias: (n,) of the pictures; None, or the same for all: there is none, and hub_weight is 0.

    Returns:
        slope, offset, hub_weight.
    """
    use = known != UNKNOWN
    columns = [products[use]]
    if bias is not None and np.ptp(bias) > 0:
        columns.append(np.broadcast_to(bias[:, None], products.shape)[use])
    x, y, w = np.stack(columns, axis=1), (known == SHOWN)[use].astype(float), prevalence_weights(known)[use]
    centre, scale = np.average(x, axis=0, weights=w), x.std(axis=0)
    scale[scale == 0] = 1.0
    features = np.column_stack([(x - centre) / scale, np.ones(len(x))])
    beta = np.array([1.0, *[0.0] * (len(columns) - 1), np.log(PREVALENCE / (1 - PREVALENCE))])
    ridge = np.diag([*[1e-6] * len(columns), 1e-9])  # a slope without end, where a set is told apart, is held back
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(features @ beta, -200, 200)))
        gradient = features.T @ (w * (p - y)) + ridge @ beta
        hessian = (features * (w * np.maximum(p * (1 - p), 1e-12))[:, None]).T @ features + ridge
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, 2.0 / float(np.abs(step).max() or 1.0))
        beta -= step
        if np.abs(step).max() < 1e-9:
            break
    slopes = beta[:-1] / scale
    hub_weight = float(slopes[1] / slopes[0]) if len(slopes) > 1 and slopes[0] > 0 else 0.0
    return float(slopes[0]), float(beta[-1] - slopes @ centre), hub_weight


def _has_bias(encoder: Encoder) -> bool:
    """Tell whether the last number of a picture's vector is its bias against hubs."""
    return encoder.adapter is not None and bool(encoder.adapter.cfg.bias_texts)


def alike(encoder: Encoder, first: Sequence[str], second: Sequence[str]) -> NDArray[np.bool_]:
    """Judge which of n and m texts mean much the same, (n, m), by the text tower alone."""
    if not first or not second:
        return np.zeros((len(first), len(second)), bool)
    parts = [encoder.backbone.text(texts).pooled.float().cpu().numpy() for texts in (background(), first, second)]
    common, a, b = (l2_normalize(part) for part in parts)
    centred = [l2_normalize(part - common.mean(axis=0)) for part in (a, b)]
    result: NDArray[np.bool_] = centred[0] @ centred[1].T >= MIN_ALIKE_COSINE
    return result


def _vectors(encoder: Encoder, images: Sequence[ImageSource], progress: Progress | None) -> Float64s:
    """Embed pictures, rounded as a store rounds them, (n, dim)."""
    size, parts = encoder.backbone.size, []
    for start in range(0, len(images), IMAGE_BATCH):
        some = images[start : start + IMAGE_BATCH]
        vectors = encoder.encode_images(np.stack([image.pixels(size) for image in some]))
        parts.append(vectors.astype(np.float16).astype(np.float64))
        if progress:
            progress(start + len(some), len(images))
    return np.concatenate(parts)
