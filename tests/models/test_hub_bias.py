"""The bias against hubs, folded into unit vectors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from geocmer.models.adapter_config import TEXT_CONSTANT
from geocmer.models.hub_bias import HubBias

DIM, STRENGTH, SHARPNESS = 16, 0.5, 20.0


def unit(n: int, seed: int) -> Tensor:
    return normalize(torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed)), dim=-1)


def hub(images: Tensor) -> HubBias:
    found = HubBias(200, DIM, STRENGTH, SHARPNESS)
    found.bank.copy_(unit(200, 3))
    found.center.copy_(found.bias(images).mean())
    return found


def test_the_bias_is_the_soft_maximum_over_the_bank() -> None:
    images = unit(20, 0)
    found = hub(images)
    scores = images.double().numpy() @ found.bank.double().numpy().T
    expected = np.log(np.exp(SHARPNESS * scores).mean(1)) / SHARPNESS
    np.testing.assert_allclose(found.bias(images).numpy(), expected, atol=1e-5)


def test_vectors_have_unit_length_and_one_dimension_more() -> None:
    images, texts = unit(20, 0), unit(7, 1)
    found = hub(images)
    for vectors, n in ((found.image(images), 20), (found.text(texts), 7)):
        assert vectors.shape == (n, DIM + 1)
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(n))


def test_the_cosine_is_the_score_with_the_bias_taken_off() -> None:
    images, texts = unit(50, 0), unit(9, 1)
    found = hub(images)
    bias = STRENGTH * (found.bias(images) - found.bias(images).mean())
    score = images @ texts.T - bias[:, None]
    cosine = found.image(images) @ found.text(texts).T / (1 - TEXT_CONSTANT**2) ** 0.5
    # The length of the longer image vector is brought back to 1, which shrinks a score by its square.
    assert (cosine - score).abs().max() < 0.02 * score.abs().max()
    assert (cosine.argsort(0, descending=True)[0] == score.argsort(0, descending=True)[0]).all()


def test_a_difference_of_texts_does_not_see_the_bias() -> None:
    images, texts = unit(50, 0), unit(2, 1)
    found = hub(images)
    folded = found.text(texts)
    assert (folded[0] - folded[1])[-1] == 0


def test_a_hub_falls() -> None:
    """A picture near the mean of many texts scores well for all of them; with the bias it gives way to their own."""
    texts = normalize(unit(100, 1) + 0.7 * unit(1, 9), dim=-1)
    pictures = normalize(torch.cat([texts + 1.1 * unit(100, 2), texts.mean(0, keepdim=True)]), dim=-1)
    found = HubBias(100, DIM, 1.0, SHARPNESS)
    found.bank.copy_(texts)
    found.center.copy_(found.bias(pictures).mean())
    before = int(((pictures @ texts.T).argmax(0) == 100).sum())
    after = int(((found.image(pictures) @ found.text(texts).T).argmax(0) == 100).sum())
    assert after < before / 2
