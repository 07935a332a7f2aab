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
"""Images or texts that are embedded at once."""


def measure(
    adapter: Adapter, images: ImageFeatures, texts: TextFeatures, rows: NDArray[np.int64], owner: NDArray[np.int64],
    device: torch.device, ties: str = "random", seed: int = 0,
) -> Recall:  # fmt: skip
    """Measure the recall of an adapter on one split.

    Args:
        adapter: its mode is set to evaluation.
        images: features of the split's images; their first view is measured.
        texts: features that hold the split's captions.
        rows: row of each caption in `texts`, (captions,).
        owner: index of each caption's image, (captions,).
        device: of the adapter.
        ties: see `recall`, as `seed`.
        seed: of the order of ties.
    """
    return recall(similarity(adapter, images, texts, rows, int(owner.max()) + 1, device), owner, ties, seed)


def similarity(
    adapter: Adapter, images: ImageFeatures, texts: TextFeatures, rows: NDArray[np.int64], count: int,
    device: torch.device,
) -> NDArray[np.float32]:  # fmt: skip
    """Compute the cosines (count, captions) of the first `count` images with the texts of `rows`."""
    adapter.eval()

    def encode_texts(some: NDArray[np.int64]) -> NDArray[np.float32]:
        return to_numpy(adapter.text(to_device(texts.batch(some), device)))

    with torch.inference_mode():
        batches = (images.batch(np.zeros_like(at), at) for at in row_batches(np.arange(count)))
        image_vectors = (to_numpy(adapter.image(to_device(batch, device))) for batch in batches)
        return similarity_matrix(image_vectors, rows, encode_texts, BATCH_ROWS)


def to_numpy(vectors: torch.Tensor) -> NDArray[np.float32]:
    """Copy vectors to the CPU as a float32 array."""
    return vectors.float().cpu().numpy()


def row_batches(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Cut rows into batches of `BATCH_ROWS`."""
    return (rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS))


def to_device(features: Features, device: torch.device) -> Features:
    """Copy features to a device."""
    return replace(
        features,
        pooled=features.pooled.to(device),
        taps=tuple(tap.to(device) for tap in features.taps),
        mask=None if features.mask is None else features.mask.to(device),
        image_masks=tuple(mask.to(device) for mask in features.image_masks),
    )
