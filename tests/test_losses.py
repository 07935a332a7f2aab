"""The contrastive loss against hand computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geocmer.losses import batch_loss, same_text


def _unit(rng: np.random.Generator, n: int, d: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(n, d)).astype(np.float32)), dim=-1)


def _by_hand(a: np.ndarray, b: np.ndarray, scale: float, never: np.ndarray) -> float:
    """-log of the softmax of the true entry over the admitted ones, both ways, in float64 loops."""
    total = 0.0
    for x, y, hidden in ((a, b, never), (b, a, never.T)):
        for i in range(len(x)):
            admitted = [j for j in range(len(y)) if j == i or not hidden[i, j]]
            terms = {j: np.exp(scale * float(x[i] @ y[j])) for j in admitted}
            total -= np.log(terms[i] / sum(terms.values()))
    return total / (2 * len(a))


def test_equals_the_hand_computed_loss() -> None:
    rng = np.random.default_rng(0)
    images, texts = _unit(rng, 7, 5), _unit(rng, 7, 5)
    never = same_text(torch.tensor([0, 1, 2, 1, 3, 4, 0]))
    got = batch_loss(images, texts, torch.tensor(9.0), never)
    expected = _by_hand(images.numpy().astype(float), texts.numpy().astype(float), 9.0, never.numpy())
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_an_equal_caption_is_never_pushed_away() -> None:
    rng = np.random.default_rng(1)
    images = _unit(rng, 3, 4)
    texts = _unit(rng, 3, 4).requires_grad_()
    batch_loss(images, texts, torch.tensor(5.0), same_text(torch.tensor([0, 0, 0]))).backward()
    assert texts.grad is not None
    assert texts.grad.abs().max() == 0  # no negatives at all: nothing to learn from


def test_smoothing_mixes_in_the_even_target() -> None:
    rng = np.random.default_rng(2)
    images, texts = _unit(rng, 4, 3), _unit(rng, 4, 3)
    never = same_text(torch.arange(4))
    log_p = (3.0 * images @ texts.T).log_softmax(-1)
    log_q = (3.0 * texts @ images.T).log_softmax(-1)
    hard = -(log_p.diag().mean() + log_q.diag().mean()) / 2
    even = -(log_p.mean() + log_q.mean()) / 2
    got = batch_loss(images, texts, torch.tensor(3.0), never, smoothing=0.2)
    assert got.item() == pytest.approx((0.8 * hard + 0.2 * even).item(), rel=1e-5)
