"""Towers that can be computed in the head, and images of one colour to train them on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from geocmer.models.backbone import Features
from geocmer.training.config import TrainConfig

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200), "white": (230, 230, 230)}


class TinyBackbone:
    """Frozen towers that can be computed in the head: mean colours, and bags of letters."""

    spec, fingerprint, size, aligned = "tiny", "0123456789abcdef" * 2, 16, False
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.pictures = 0
        self.released = -1

    def release(self) -> None:
        self.released = self.pictures

    def image(self, pixels: np.ndarray) -> Features:
        self.pictures += len(pixels)
        x = torch.from_numpy(np.array(pixels)).float() / 255
        x = torch.nn.functional.interpolate(x.permute(0, 3, 1, 2), (16, 16)).permute(0, 2, 3, 1)
        quarters = x.unfold(1, 8, 8).unfold(2, 8, 8).mean((-1, -2)).flatten(1, 2)
        return Features(x.mean((1, 2)), (quarters,))

    def tokenize(self, texts: Any) -> torch.Tensor:
        """The letters of each text, padded with spaces."""
        letters = [[("abcdefghijklmnopqrstuvwxyz".find(c) + 27) % 27 for c in t] for t in texts]
        return torch.tensor([(row + [26] * 64)[:64] for row in letters])

    def text(self, texts: Any) -> Features:
        """A bag of letters, and as words the letters themselves."""
        letters = torch.eye(27)
        words = [[("abcdefghijklmnopqrstuvwxyz".find(c) + 27) % 27 for c in t] for t in texts]
        mask = torch.tensor([[i < len(w) for i in range(max(map(len, words)))] for w in words])
        tokens = torch.stack([letters[w + [26] * (mask.shape[1] - len(w))] for w in words])
        return Features((tokens * mask[..., None]).sum(1)[:, :26], (tokens,), mask)


class Dim(TinyBackbone):
    """Says the same as the float16 of a cache would keep, but for the last bits: colours far from gray."""

    def image(self, pixels: np.ndarray) -> Features:
        seen = super().image(pixels)
        bright = torch.tensor([3.0, 2.0, 1.0])
        return Features(seen.pooled + bright, tuple(tap + bright for tap in seen.taps))


CFG = TrainConfig(
    epochs=6,
    batch=8,
    members=2,
    branch_dim=6,
    dim=8,
    width=16,
    heads=2,
    views=2,
    learning_rate=1e-2,
    average=0.5,
    bias_texts=0,
    dropout=0.0,
)
