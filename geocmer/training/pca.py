"""The principal directions of an adapter's vectors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..models.adapter import Adapter
from .feature_cache import ImageFeatures, JoinedImages, TextFeatures, UncachedImages
from .validation import row_batches, to_device


def principal_directions(
    adapter: Adapter, images: ImageFeatures | UncachedImages | JoinedImages, count: int, texts: TextFeatures,
    rows: NDArray[np.int64], dim: int,
) -> torch.Tensor:  # fmt: skip
    """Compute the principal directions of an adapter's image and text vectors, (members x member_dim, dim), uncentred.

    Of all projections on `dim` dimensions, the one on these changes the scalar products least.

    Args:
        adapter: not projected yet.
        images: features of the training images; their first view is taken.
        count: number of images.
        texts: features of texts.
        rows: rows of the texts to take, (captions,).
        dim: number of directions.
    """
    adapter.eval()
    device = adapter.log_scale.device
    moments = torch.zeros(adapter.cfg.dim, adapter.cfg.dim, dtype=torch.float64)
    with torch.inference_mode():
        for some in row_batches(np.arange(count)):
            image_vectors = adapter.image(to_device(images.batch(np.zeros_like(some), some), device)).double().cpu()
            moments += image_vectors.T @ image_vectors / count
        for some in row_batches(rows):
            text_vectors = adapter.text(to_device(texts.batch(some), device)).double().cpu()
            moments += text_vectors.T @ text_vectors / len(rows)
        return torch.linalg.eigh(moments).eigenvectors.flip(1)[:, :dim].float().to(device)
