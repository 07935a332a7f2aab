"""The contrastive loss, as pure functions of unit vectors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def same_text(texts: Tensor) -> Tensor:
    """(n, n) mask of entries that must never be each other's negatives: equal caption ids (n,)."""
    return texts[:, None] == texts[None, :]


def batch_loss(images: Tensor, texts: Tensor, scale: Tensor, never: Tensor, smoothing: float = 0.0) -> Tensor:
    """Symmetric InfoNCE over a batch (CLIP's), with false negatives left out of both denominators.

    Args:
        images: unit vectors (n, d); row i belongs to row i of `texts`.
        texts: unit vectors (n, d).
        scale: inverse temperature.
        never: (n, n) bool, True where image i and text j are no true negatives; the diagonal is kept whatever it says.
        smoothing: share of the target spread evenly over the admitted entries.
    """
    logits = scale * images @ texts.T
    target = torch.arange(len(images), device=images.device)
    masked = never & ~torch.eye(len(images), dtype=torch.bool, device=images.device)
    return (_nce(logits, masked, target, smoothing) + _nce(logits.T, masked.T, target, smoothing)) / 2


def _nce(logits: Tensor, masked: Tensor, target: Tensor, smoothing: float) -> Tensor:
    logits = logits.masked_fill(masked, float("-inf"))
    hard = cross_entropy(logits, target)
    if smoothing == 0:
        return hard
    log_p = logits.log_softmax(-1).masked_fill(masked, 0.0)
    even = -(log_p.sum(-1) / (~masked).sum(-1)).mean()
    return (1 - smoothing) * hard + smoothing * even
