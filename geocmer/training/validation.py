"""The recall of an adapter on cached frozen features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..evaluation.recall import Recall, recall
from ..evaluation.similarity import similarity_matrix
from ..models.adapter import Adapter
from ..models.backbone import Features
from .feature_cache import ImageFeatures, TextFeatures

BATCH_ROWS = 256


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

    def encode_texts(some: NDArray[np.int64]) -> NDArray[np.float32]:
        return _numpy(adapter.text(to(texts.batch(some), device)))

    with torch.inference_mode():
        batches = (images.batch(np.zeros_like(at), at) for at in row_batches(np.arange(count)))
        image_vectors = (_numpy(adapter.image(to(batch, device))) for batch in batches)
        return similarity_matrix(image_vectors, rows, encode_texts, BATCH_ROWS)


def _numpy(vectors: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = vectors.float().cpu().numpy()
    return array


def row_batches(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Cut rows into batches."""
    return (rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS))


def to(features: Features, device: torch.device) -> Features:
    """Features on a device."""
    mask = None if features.mask is None else features.mask.to(device)
    return replace(
        features, pooled=features.pooled.to(device), taps=tuple(tap.to(device) for tap in features.taps), mask=mask
    )
