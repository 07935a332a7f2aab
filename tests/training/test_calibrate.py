"""The calibration: the fit against scipy, what it is worth on data whose probabilities are known, and who gets one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import minimize
from tiny import tiny_clip, tiny_pair

from geocmer.datasets.mosaics import shown_mosaics
from geocmer.datasets.pairs import Pair, PairSet
from geocmer.datasets.shown_concepts import ABSENT, SHOWN, UNKNOWN
from geocmer.imagery.images import ImageFile
from geocmer.models.encoder import Encoder
from geocmer.search.probability import PREVALENCE
from geocmer.training.calibrate import calibrate, fit
from geocmer.training.config import TrainConfig
from geocmer.training.ensemble import train
from geocmer.training.reliability import KnownImages, Reliability, StoreAnswers, measure
from geocmer.training.reliability_plot import draw_reliability

CONFIG = TrainConfig(
    epochs=2, learning_rate=3e-3, batch=8, views=1, members=1, width=16, branch_dim=16, dim=16, bias_texts=4
)


def seen(products: np.ndarray, known: np.ndarray, sets: np.ndarray | None = None) -> KnownImages:
    count = len(products)
    sets = np.zeros(count, np.intp) if sets is None else sets
    return KnownImages(products, np.zeros(count), known, sets, ("a", "b"), np.ones(count, bool))


def drawn(seed: int, n: int = 4000, c: int = 12, slope: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Products, and what is shown by pictures whose log odds are slope * product + offset; a tenth is unknown."""
    rng = np.random.default_rng(seed)
    products = rng.normal(size=(n, c))
    known = np.where(rng.random((n, c)) < 1 / (1 + np.exp(-(slope * products - 2))), SHOWN, ABSENT).astype(np.int8)
    known[rng.random((n, c)) < 0.1] = UNKNOWN
    return products, known


def log_odds(share: np.ndarray) -> np.ndarray:
    odds: np.ndarray = np.log(share / (1 - share))
    return odds


def test_the_fit_is_the_maximum_of_the_weighted_likelihood() -> None:
    products, known = drawn(0, n=500, c=4)

    def loss(beta: np.ndarray) -> float:
        total = 0.0
        for concept in range(4):
            for kind, share in ((SHOWN, PREVALENCE), (ABSENT, 1 - PREVALENCE)):
                logits = beta[0] * products[known[:, concept] == kind, concept] + beta[1]
                total += share * np.logaddexp(0, -logits if kind == SHOWN else logits).mean() / 4
        return total

    expected = minimize(
        loss, [1.0, -3.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-14, "maxiter": 4000}
    )
    slope, offset, hub_weight = fit(products, known)
    assert (slope, offset) == pytest.approx(expected.x, abs=0.003)
    assert hub_weight == 0


def test_what_was_so_drawn_is_found_again_at_the_prevalence() -> None:
    products, known = drawn(1, n=40_000)
    slope, offset, _ = fit(products, known)
    share = (known == SHOWN).sum() / (known != UNKNOWN).sum()
    assert slope == pytest.approx(2, rel=0.03)
    assert offset == pytest.approx(-2 - log_odds(share) + log_odds(np.array(PREVALENCE)), abs=0.1)


def test_a_bias_that_tells_is_found_and_one_that_does_not_is_left() -> None:
    """Log odds of 2 (product + 0.6 bias): the second as scipy has it, by construction."""
    rng = np.random.default_rng(4)
    products, bias = rng.normal(size=(30_000, 6)), rng.normal(size=30_000)
    odds = 2 * (products + 0.6 * bias[:, None]) - 2
    known = np.where(rng.random(odds.shape) < 1 / (1 + np.exp(-odds)), SHOWN, ABSENT).astype(np.int8)
    slope, _, hub_weight = fit(products, known, bias)
    assert [slope, hub_weight] == pytest.approx([2, 0.6], rel=0.05)
    assert fit(products, known, rng.normal(size=30_000))[2] == pytest.approx(0, abs=0.03)
    assert fit(products, known, np.zeros(30_000))[2] == 0


def test_a_set_told_apart_without_an_error_has_an_end_all_the_same() -> None:
    products = np.repeat([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]], 20, axis=0)
    known = np.where(products > 0, SHOWN, ABSENT).astype(np.int8)
    slope, offset, _ = fit(products, known)
    assert 1 < slope < 100
    assert np.isfinite(offset)


def test_reliability_of_what_is_calibrated_by_making_and_of_noise() -> None:
    products, known = drawn(2)
    good = measure(seen(products, known), products, fit, np.random.default_rng(0))
    assert good.calibration_error < 0.003
    assert good.log_loss < 0.9 * good.prior_loss
    assert good.pooled == pytest.approx(good.pooled_cosine, rel=0.02), "folds differ little"
    assert np.sum(good.weight) == pytest.approx(1)
    noise = measure(
        seen(np.random.default_rng(3).normal(size=products.shape), known), products, fit, np.random.default_rng(0)
    )
    assert noise.log_loss == pytest.approx(noise.prior_loss, rel=0.02)
    assert noise.stores.misses == 1.0, "nothing is likely where nothing is known"
    assert noise.stores.false_alarms == 0.0


def test_nothing_here_is_counted_store_by_store() -> None:
    products = np.full((600, 5), -3.0)
    known = np.full((600, 5), ABSENT, np.int8)
    for concept in range(5):
        rows = slice(concept * 20, concept * 20 + 20)
        known[rows, concept], products[rows, concept] = SHOWN, 3.0
    found = measure(seen(products, known), products, fit, np.random.default_rng(0))
    assert found.stores == StoreAnswers(false_alarms=0.0, correct_rejections=1.0, misses=0.0, denials=0.0)
    assert found.parts is None
    products[known == SHOWN] = -3.0
    products[200] = 3.0  # a picture that is like everything
    found = measure(seen(products, known), products, fit, np.random.default_rng(0))
    assert found.stores.misses > 0.5


def test_a_set_that_is_left_out_is_measured_by_a_fit_on_the_others() -> None:
    """The second set has other constants: what the first says of it is measured, by hand for the error."""
    (a, known_a), (b, known_b) = drawn(5, slope=2.0), drawn(6, slope=0.5)
    sets = np.repeat([0, 1], len(a))
    both = seen(np.concatenate([a, b]), np.concatenate([known_a, known_b]), sets)
    found = {one.name: one for one in measure(both, both.products, fit, np.random.default_rng(0)).unseen}
    alone = seen(b, known_b, np.ones(len(b), np.intp))
    slope, offset, _ = fit(a, known_a)
    p = 1 / (1 + np.exp(-(slope * b + offset)))
    loss = 0.0
    for concept in range(b.shape[1]):
        of = {kind: p[known_b[:, concept] == kind, concept] for kind in (SHOWN, ABSENT)}
        loss -= PREVALENCE * np.log(of[SHOWN]).mean() + (1 - PREVALENCE) * np.log1p(-of[ABSENT]).mean()
    assert found["b"].log_loss == pytest.approx(loss / b.shape[1], rel=1e-6)
    assert found["b"].calibration_error > 2 * measure(alone, b, fit, np.random.default_rng(0)).calibration_error
    assert set(found) == {"a", "b"}


def coloured(folder: Path, count: int = 16, captions: bool = False) -> PairSet:
    """Pictures of three colours, half for training."""
    pairs = []
    for n in range(3 * count):
        label = ("red roof", "green meadow", "blue lake")[n % 3]
        value = np.full((32, 32, 3), 40, np.uint8)
        value[..., n % 3] = 150 + n
        Image.fromarray(value).save(folder / f"{n}.png")
        texts, labels = ((f"number {n}",), ()) if captions else ((f"a {label}",), (label,))
        pairs.append(Pair(ImageFile(folder / f"{n}.png"), texts, "val" if n // 3 % 2 else "train", labels=labels))
    return PairSet("colours", tuple(pairs))


def test_training_lays_a_calibration_beside_the_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geocmer.training.calibrate.MIN_ALIKE_COSINE", 2.0)
    monkeypatch.setattr("geocmer.training.calibrate.fit", lambda *_: (2.0, -4.0, 0.0))  # random towers learn nothing
    said: list[Reliability | str] = []
    backbone, pairs = tiny_pair(tmp_path), coloured(tmp_path)
    train(pairs, backbone, tmp_path / "wrong", CONFIG, on_calibration=said.append)
    assert "worse than the prevalence alone (log loss " in str(said.pop())
    assert not (tmp_path / "wrong" / "calibration.safetensors").exists()
    monkeypatch.setattr("geocmer.training.calibrate.measure", lambda *values: replace(measure(*values), log_loss=0.01))
    train(pairs, backbone, tmp_path / "out", CONFIG, on_calibration=said.append)
    (found,) = said
    assert isinstance(found, Reliability)
    assert found.concepts == 3
    assert (tmp_path / "out" / "calibration.safetensors").is_file()
    draw_reliability(found, tmp_path / "figure.png")
    assert np.asarray(Image.open(tmp_path / "figure.png")).std() > 10


def test_captions_that_name_nothing_make_no_calibration(tmp_path: Path) -> None:
    said: list[Reliability | str] = []
    train(coloured(tmp_path, captions=True), tiny_pair(tmp_path), tmp_path / "out", CONFIG, on_calibration=said.append)
    assert "hits will have no probability: 0 concepts" in str(said[0])
    assert not (tmp_path / "out" / "calibration.safetensors").exists()


def test_the_calibration_is_that_of_the_pictures_and_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: vectors of pictures and words, and the same fit."""
    monkeypatch.setattr("geocmer.training.calibrate.MIN_ALIKE_COSINE", 2.0)  # a random text tower knows no synonyms
    backbone, pairs = tiny_clip(), coloured(tmp_path)
    encoder = Encoder(backbone, None, "", "ab" * 16, 16)
    calibration, found = calibrate(encoder, [pairs])
    val = pairs.split("val").pairs
    shown = np.array([[pair.labels[0] == t for t in ("blue lake", "green meadow", "red roof")] for pair in val])
    shown = np.where(shown, SHOWN, ABSENT).astype(np.int8)
    mosaics, parts, _ = shown_mosaics(val, shown, np.zeros(24, np.intp), 12, np.random.default_rng(0))
    every = [*(pair.image for pair in val), *mosaics]
    images = encoder.encode_images(np.stack([image.pixels(32) for image in every])).astype(np.float16)
    texts = encoder.encode_texts(["blue lake", "green meadow", "red roof"])
    known = np.concatenate([shown, parts])
    apart = texts.astype(np.float64) - calibration.background
    products = images.astype(np.float64) @ (apart / np.linalg.norm(apart, axis=1, keepdims=True)).T
    slope, offset, hub_weight = fit(products, known)
    assert (calibration.slope, calibration.offset, calibration.hub_weight) == pytest.approx(
        (slope, offset, hub_weight), rel=1e-6
    )
    assert (found.concepts, found.images, hub_weight) == (3, 36, 0)
