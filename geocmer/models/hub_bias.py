"""A bias per image against hubness: some images score high for every query (nothing to do with model hubs).

With x an image's unit vector and t_1 ... t_k a bank of texts of the kind that is asked for,

    b(x) = log(mean exp(s x . t_k)) / s             how well x does for texts as such (QB-Norm, CVPR 2022)
    score = cos(x, t) - strength * (b(x) - mean b)

The score is a cosine again when it is folded into the vectors: a image gets one dimension more that holds its bias, a
text one that is the same for all texts. So whatever ranks by cosines, ranks by the score, and a difference of two texts
does not see the bias at all.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .adapter_config import TEXT_CONSTANT


class HubBias(nn.Module):
    """Folds the bias into unit vectors of images and texts, (n, dim) to (n, dim + 1).

    Args:
        texts: in the bank.
        dim: of a vector.
        strength: of the bias.
        sharpness: s above.
    """

    bank: Tensor
    center: Tensor

    def __init__(self, texts: int, dim: int, strength: float, sharpness: float) -> None:
        super().__init__()
        self.strength, self.sharpness = strength, sharpness
        self.register_buffer("bank", torch.zeros(texts, dim))
        self.register_buffer("center", torch.zeros(()))

    def fit(self, bank: Tensor, images: Tensor) -> None:
        """Take the texts of the bank, and 0 as the mean bias of images; unit vectors (k, dim) and (n, dim)."""
        self.bank.copy_(bank)
        self.center.copy_(self.bias(images).mean())

    def bias(self, images: Tensor) -> Tensor:
        """Compute how well images (n, dim) do for the bank's texts, (n,)."""
        scores = self.sharpness * images @ self.bank.T
        return (scores.logsumexp(-1) - math.log(len(self.bank))) / self.sharpness

    def image(self, images: Tensor) -> Tensor:
        """Append the bias to unit vectors of images, (n, dim) to (n, dim + 1)."""
        bias = self.strength * (self.bias(images) - self.center)
        ratio = math.sqrt(1 - TEXT_CONSTANT**2) / TEXT_CONSTANT
        return normalize(torch.cat([images, -ratio * bias[:, None]], -1), dim=-1)

    def text(self, texts: Tensor) -> Tensor:
        """Append the constant to unit vectors of texts, (n, dim) to (n, dim + 1)."""
        constant = texts.new_full((len(texts), 1), TEXT_CONSTANT)
        return torch.cat([math.sqrt(1 - TEXT_CONSTANT**2) * texts, constant], -1)
