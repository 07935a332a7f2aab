"""The vectors that an adapter makes of cached frozen features, batch by batch, and their cosines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..evaluation.similarity import similarity_matrix
from ..models.adapter import Adapter
from ..models.backbone import Features
from .feature_cache import ImageFeatures, JoinedImages, UncachedImages
from .text_features import TextFeatures

BATCH_ROWS = 256
"""Images or texts that are embedded at once."""


def image_vectors(
    adapter: Adapter, images: ImageFeatures | UncachedImages | JoinedImages, rows: NDArray[np.int64]
) -> Iterator[torch.Tensor]:
    """Embed images under their first view, (n, dim) at a time, without gradients and in the mode of evaluation."""
    yield from _vectors(adapter, adapter.image, lambda some: images.batch(np.zeros_like(some), some), rows)


def text_vectors(adapter: Adapter, texts: TextFeatures, rows: NDArray[np.int64]) -> Iterator[torch.Tensor]:
    """Embed texts likewise, (n, dim) a batch."""
    yield from _vectors(adapter, adapter.text, texts.batch, rows)


def similarity(
    adapter: Adapter, images: ImageFeatures, texts: TextFeatures, rows: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    """Compute the cosines (count, captions) of the first `count` images with the texts of `rows`."""
    return similarity_matrix(
        (vectors.numpy() for vectors in image_vectors(adapter, images, np.arange(count))),
        rows,
        lambda some: np.concatenate([vectors.numpy() for vectors in text_vectors(adapter, texts, some)]),
        BATCH_ROWS,
    )


def _vectors(
    adapter: Adapter, embed: Callable[[Features], torch.Tensor], read: Callable[[NDArray[np.int64]], Features],
    rows: NDArray[np.int64],
) -> Iterator[torch.Tensor]:  # fmt: skip
    """Embed rows, float32 on the CPU."""
    adapter.eval()
    for start in range(0, len(rows), BATCH_ROWS):
        with torch.inference_mode():
            features = to_device(read(rows[start : start + BATCH_ROWS]), adapter.log_scale.device)
            yield embed(features).float().cpu()


def to_device(features: Features, device: torch.device) -> Features:
    """Copy features to a device."""
    return replace(
        features,
        pooled=features.pooled.to(device),
        taps=tuple(tap.to(device) for tap in features.taps),
        mask=None if features.mask is None else features.mask.to(device),
        image_masks=tuple(mask.to(device) for mask in features.image_masks),
    )
