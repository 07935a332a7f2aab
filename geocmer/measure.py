"""Recall of an adapter on cached frozen features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from .adapter import Adapter
from .backbone import Features
from .evaluate import Recall, recall
from .features import ImageFeatures, TextFeatures

_BATCH = 256


def measure(
    adapter: Adapter, images: ImageFeatures, texts: TextFeatures, rows: NDArray[np.int64], owner: NDArray[np.int64],
    device: torch.device, ties: str = "random", seed: int = 0,
) -> Recall:  # fmt: skip
    """Recall of an adapter on one split.

    Args:
        adapter: its mode is set to evaluation.
        images: features of the split's pictures; their first view is measured.
        texts: features that hold the split's captions.
        rows: row of each caption in `texts`, (captions,).
        owner: index of each caption's picture, (captions,).
        device: of the adapter.
        ties: see `recall`, as `seed`.
        seed: of the order of ties.
    """
    return recall(similarity(adapter, images, texts, rows, int(owner.max()) + 1, device), owner, ties, seed)


def similarity(
    adapter: Adapter, images: ImageFeatures, texts: TextFeatures, rows: NDArray[np.int64], count: int,
    device: torch.device,
) -> NDArray[np.float32]:  # fmt: skip
    """Cosine of the first `count` pictures with the texts of `rows`, (count, captions)."""
    adapter.eval()
    with torch.inference_mode():
        seen = []
        for start in range(0, count, _BATCH):
            at = np.arange(start, min(start + _BATCH, count))
            seen.append(adapter.image(to(images.batch(np.zeros_like(at), at), device)))
        # One row per distinct text: equal captions then have bit-equal scores, and ties stay ties.
        unique, back = np.unique(rows, return_inverse=True)
        blocks = (unique[start : start + _BATCH] for start in range(0, len(unique), _BATCH))
        said = [adapter.text(to(texts.batch(block), device)) for block in blocks]
        scores: NDArray[np.float32] = (torch.cat(seen) @ torch.cat(said).T).float().cpu().numpy()
        return scores[:, back.reshape(-1)]


def to(features: Features, device: torch.device) -> Features:
    """Features on a device."""
    mask = None if features.mask is None else features.mask.to(device)
    return replace(
        features, pooled=features.pooled.to(device), taps=tuple(tap.to(device) for tap in features.taps), mask=mask
    )
