"""The bank of training captions from which an adapter's bias against hubs is taken."""

from __future__ import annotations

import numpy as np
import torch

from ..models.adapter import Adapter
from .config import TrainConfig
from .training_data import TrainingData
from .validation import image_vectors, text_vectors


def fit_hub_bias(adapter: Adapter, data: TrainingData, cfg: TrainConfig) -> Adapter:
    """Return the adapter with a bias against hubs; the sets are drawn from in the shares that training sees.

    Args:
        adapter: trained, on its basis.
        data: of the training.
        cfg: its `bias_texts` captions, each of another image, are the bank; with 0 the adapter is returned as it is.
    """
    if not cfg.bias_texts:
        return adapter
    images, texts = data.draw(cfg.bias_texts, cfg)
    spoken, seen = (
        torch.cat(list(vectors)).to(adapter.log_scale.device)
        for vectors in (
            text_vectors(adapter, data.texts, data.texts.rows(texts)),
            image_vectors(adapter, data.images, np.sort(images)),
        )
    )
    return adapter.with_bias(spoken, seen, cfg.bias_strength, cfg.bias_sharpness).eval()
