"""The captions of the training that an adapter keeps, to read words by that it never saw: see `known_captions`."""

from __future__ import annotations

import numpy as np

from ..models.adapter import Adapter
from ..models.backbone import Backbone
from ..models.encoder import l2_normalize
from ..models.known_captions import MIN_TOKEN_CAPTIONS, KnownCaptions
from .config import TrainConfig
from .training_data import TrainingData
from .validation import text_vectors

_BATCH_CAPTIONS = 4096
"""Captions that are cut into tokens at once."""


def fit_known_captions(adapter: Adapter, data: TrainingData, cfg: TrainConfig, backbone: Backbone) -> KnownCaptions:
    """Draw captions, the sets in the shares that training sees, and note the tokens that all training captions have.

    Args:
        adapter: finished, with its bias.
        data: of the training.
        cfg: its `known_captions` are drawn; equal ones are kept once.
        backbone: that cuts texts into tokens.
    """
    rows = data.texts.rows(sorted(set(data.draw(cfg.known_captions, cfg)[1])))
    vectors = [some.numpy() for some in text_vectors(adapter, data.texts, rows)]
    pooled = l2_normalize(data.texts.pooled[rows].astype(np.float32))
    core = l2_normalize(np.concatenate(vectors)[:, : adapter.cfg.core_dim])
    distinct, counts = sorted(set(data.train.captions()[0])), np.zeros(0, np.int64)
    for start in range(0, len(distinct), _BATCH_CAPTIONS):
        tokens = np.sort(backbone.tokenize(distinct[start : start + _BATCH_CAPTIONS]).cpu().numpy(), axis=1)
        first = np.diff(tokens, axis=1, prepend=-1) != 0  # each token of a caption counts once
        found = np.bincount(tokens[first], minlength=len(counts))
        counts = np.pad(counts, (0, len(found) - len(counts))) + found
    return KnownCaptions(pooled, core, counts >= MIN_TOKEN_CAPTIONS)
