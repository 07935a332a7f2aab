"""What an adapter makes of cached frozen features: its recall, and the principal directions of its vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from .adapter import Adapter
from .backbone import Features
from .evaluate import Recall, recall
from .features import ImageFeatures, LiveImages, TextFeatures

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
        batches = (images.batch(np.zeros_like(at), at) for at in _blocks(np.arange(count)))
        seen = [adapter.image(to(batch, device)) for batch in batches]
        # One row per distinct text: equal captions then have bit-equal scores, and ties stay ties.
        unique, back = np.unique(rows, return_inverse=True)
        said = [adapter.text(to(texts.batch(some), device)) for some in _blocks(unique)]
        scores: NDArray[np.float32] = (torch.cat(seen) @ torch.cat(said).T).float().cpu().numpy()
        return scores[:, back.reshape(-1)]


def principal(
    adapter: Adapter, images: ImageFeatures | LiveImages, count: int, texts: TextFeatures, rows: NDArray[np.int64],
    dim: int,
) -> torch.Tensor:  # fmt: skip
    """The principal directions of an adapter's vectors, (members x part, dim): of pictures and texts alike, uncentred.

    Cosines are kept as well as `dim` numbers can keep them.

    Args:
        adapter: not projected yet.
        images: features of the training pictures; their first view is taken.
        count: how many pictures.
        texts: features of texts.
        rows: of the texts that are taken.
        dim: how many directions.
    """
    adapter.eval()
    device = adapter.log_scale.device
    moments = torch.zeros(adapter.cfg.dim, adapter.cfg.dim, dtype=torch.float64)
    with torch.inference_mode():
        for some in _blocks(np.arange(count)):
            seen = adapter.image(to(images.batch(np.zeros_like(some), some), device)).double().cpu()
            moments += seen.T @ seen / count
        for some in _blocks(rows):
            told = adapter.text(to(texts.batch(some), device)).double().cpu()
            moments += told.T @ told / len(rows)
        directions: torch.Tensor = torch.linalg.eigh(moments).eigenvectors.flip(1)[:, :dim]
        return directions.float().to(device)


def _blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))


def to(features: Features, device: torch.device) -> Features:
    """Features on a device."""
    mask = None if features.mask is None else features.mask.to(device)
    return replace(
        features, pooled=features.pooled.to(device), taps=tuple(tap.to(device) for tap in features.taps), mask=mask
    )
