"""The principal directions of an adapter's vectors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..models.adapter import Adapter
from .feature_cache import ImageFeatures, JoinedImages, UncachedImages
from .text_features import TextFeatures
from .validation import image_vectors, text_vectors


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
    moments = torch.zeros(adapter.cfg.dim, adapter.cfg.dim, dtype=torch.float64)
    for batches, total in (
        (image_vectors(adapter, images, np.arange(count)), count), (text_vectors(adapter, texts, rows), len(rows)),
    ):  # fmt: skip
        for vectors in map(torch.Tensor.double, batches):
            moments += vectors.T @ vectors / total
    return torch.linalg.eigh(moments).eigenvectors.flip(1)[:, :dim].float().to(adapter.log_scale.device)
