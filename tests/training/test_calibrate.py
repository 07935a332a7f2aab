"""The calibration: the fit against scipy, what it is worth on data whose probabilities are known, and who gets one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import minimize
from tiny import tiny_clip, tiny_pair

from geocmer.datasets.pairs import Pair, PairSet
from geocmer.datasets.shown_concepts import ABSENT, SHOWN, UNKNOWN
from geocmer.imagery.images import ImageFile
from geocmer.models.encoder import Encoder
from geocmer.search.probability import PREVALENCE
from geocmer.training.calibrate import Reliability, calibrate, fit, measure
from geocmer.training.config import TrainConfig
from geocmer.training.ensemble import train
from geocmer.training.reliability_plot import draw_reliability

CONFIG = TrainConfig(
    epochs=12, learning_rate=3e-3, batch=8, views=1, members=1, width=16, branch_dim=16, dim=16, bias_texts=4
)


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
    assert fit(products, known) == pytest.approx(expected.x, abs=0.003)


def test_what_was_so_drawn_is_found_again_at_the_prevalence() -> None:
    products, known = drawn(1, n=40_000)
    slope, offset = fit(products, known)
    share = (known == SHOWN).sum() / (known != UNKNOWN).sum()
    assert slope == pytest.approx(2, rel=0.03)
    assert offset == pytest.approx(-2 - log_odds(share) + log_odds(np.array(PREVALENCE)), abs=0.1)


def test_a_set_told_apart_without_an_error_has_an_end_all_the_same() -> None:
    products = np.repeat([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]], 20, axis=0)
    known = np.where(products > 0, SHOWN, ABSENT).astype(np.int8)
    slope, offset = fit(products, known)
    assert 1 < slope < 100
    assert np.isfinite(offset)


def test_reliability_of_what_is_calibrated_by_making_and_of_noise() -> None:
    products, known = drawn(2)
    good = measure(products, products, known, np.random.default_rng(0))
    assert good.calibration_error < 0.003
    assert good.log_loss < 0.9 * good.prior_loss
    assert good.pooled == pytest.approx(good.pooled_cosine, rel=0.02), "folds differ little"
    assert np.sum(good.weight) == pytest.approx(1)
    noise = measure(np.random.default_rng(3).normal(size=products.shape), products, known, np.random.default_rng(0))
    assert noise.log_loss == pytest.approx(noise.prior_loss, rel=0.02)
    assert noise.misses == 1.0, "nothing is likely where nothing is known"
    assert noise.false_alarms == 0.0


def test_nothing_here_is_counted_store_by_store() -> None:
    products = np.full((600, 5), -3.0)
    known = np.full((600, 5), ABSENT, np.int8)
    for concept in range(5):
        rows = slice(concept * 20, concept * 20 + 20)
        known[rows, concept], products[rows, concept] = SHOWN, 3.0
    told = measure(products, products, known, np.random.default_rng(0))
    assert (told.false_alarms, told.misses) == (0.0, 0.0)
    products[known == SHOWN] = -3.0
    products[200] = 3.0  # a picture that is like everything
    told = measure(products, products, known, np.random.default_rng(0))
    assert told.misses > 0.5


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
    monkeypatch.setattr("geocmer.training.calibrate.ALIKE", 2.0)
    monkeypatch.setattr("geocmer.training.calibrate.fit", lambda *_: (2.0, -4.0))  # random towers learn nothing
    said: list[Reliability | str] = []
    backbone = tiny_pair(tmp_path)
    train(coloured(tmp_path), backbone, tmp_path / "out", CONFIG, on_calibration=said.append)
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
    monkeypatch.setattr("geocmer.training.calibrate.ALIKE", 2.0)  # a random text tower knows no synonyms
    backbone, pairs = tiny_clip(), coloured(tmp_path)
    encoder = Encoder(backbone, None, "", "ab" * 16, 16)
    calibration, found = calibrate(encoder, [pairs])
    val = pairs.split("val").pairs
    images = encoder.encode_images(np.stack([pair.image.pixels(32) for pair in val])).astype(np.float16)
    texts = encoder.encode_texts(["blue lake", "green meadow", "red roof"])
    known = np.array([[pair.labels[0] == t for t in ("blue lake", "green meadow", "red roof")] for pair in val])
    products = images.astype(np.float64) @ (texts.astype(np.float64) - calibration.background).T
    slope, offset = fit(products, np.where(known, SHOWN, ABSENT).astype(np.int8))
    assert (calibration.slope, calibration.offset) == pytest.approx((slope, offset), rel=1e-6)
    assert (found.concepts, found.images) == (3, 24)
