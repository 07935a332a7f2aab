"""The bank of training captions from which an adapter's bias against hubs is taken."""

from __future__ import annotations

import numpy as np
import torch

from ..models.adapter import Adapter
from .config import TrainConfig
from .sampling import epoch_order, set_shares
from .training_data import TrainingData
from .validation import row_batches, to_device


def fit_hub_bias(adapter: Adapter, data: TrainingData, cfg: TrainConfig) -> Adapter:
    """Return the adapter with a bias against hubs; the sets are drawn from in the shares that training sees.

    Args:
        adapter: trained, on its basis.
        data: of the training.
        cfg: its `bias_texts` captions, each of another image, are the bank; with 0 the adapter is returned as it is.
    """
    if not cfg.bias_texts:
        return adapter
    adapter.eval()
    device = adapter.log_scale.device
    rng = np.random.default_rng(cfg.seed)
    shares = set_shares(data.sizes, cfg.weights)
    images = epoch_order(rng, data.sizes, shares, cfg.bias_texts)
    texts = [captions[int(rng.integers(len(captions)))] for captions in (data.train.pairs[i].captions for i in images)]
    with torch.inference_mode():
        text_vectors = [
            adapter.text(to_device(data.texts.batch(some), device)) for some in row_batches(data.texts.rows(texts))
        ]
        image_vectors = [
            adapter.image(to_device(data.images.batch(np.zeros_like(some), some), device))
            for some in row_batches(np.sort(images))
        ]
    return adapter.with_bias(
        torch.cat(text_vectors), torch.cat(image_vectors), cfg.bias_strength, cfg.bias_sharpness
    ).eval()
