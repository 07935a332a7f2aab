"""The optimizer of every training run: AdamW, its weight decay and its learning rate by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from .config import TrainConfig


def make_optimizer(model: torch.nn.Module, cfg: TrainConfig, steps: int) -> tuple[torch.optim.AdamW, LambdaLR]:
    """Make the optimizer of a model and its schedule over so many steps."""
    optimizer = torch.optim.AdamW(_weight_groups(model, cfg), lr=cfg.learning_rate)
    return optimizer, LambdaLR(optimizer, warmup_cosine(cfg.warmup, steps))


def _weight_groups(model: torch.nn.Module, cfg: TrainConfig) -> list[dict[str, Any]]:
    """Decay matrices only: never biases, norms, gates and the temperature."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": cfg.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


def warmup_cosine(warmup: float, total: int) -> Callable[[int], float]:
    """Make the learning rate's factor by step: a linear rise over a share of all steps, then half a cosine to 0."""
    rise = max(1, round(warmup * total))
    return lambda step: min(1.0, (step + 1) / rise) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total))))
