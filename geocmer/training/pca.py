"""The principal directions of an adapter's vectors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..models.adapter import Adapter
from .feature_cache import ImageFeatures, LiveImages, TextFeatures
from .validation import row_batches, to


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
        for some in row_batches(np.arange(count)):
            seen = adapter.image(to(images.batch(np.zeros_like(some), some), device)).double().cpu()
            moments += seen.T @ seen / count
        for some in row_batches(rows):
            told = adapter.text(to(texts.batch(some), device)).double().cpu()
            moments += told.T @ told / len(rows)
        directions: torch.Tensor = torch.linalg.eigh(moments).eigenvectors.flip(1)[:, :dim]
        return directions.float().to(device)
