"""The optimizer of every training run: AdamW, its weight decay and its learning rate by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from ..errors import InputError
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


def check_loss(loss: float, cfg: TrainConfig, step: int) -> None:
    """Stop a run whose loss is no number: no later step would make it one.

    Raises:
        InputError: it is not finite.
    """
    if not math.isfinite(loss):
        raise InputError(
            f"the loss is {loss} at step {step + 1}: the weights have run away; start again in another --out with a "
            f"learning_rate below {cfg.learning_rate:g} or a clip below {cfg.clip:g}"
        )


def warmup_cosine(warmup: float, total: int) -> Callable[[int], float]:
    """Make the learning rate's factor by step: a linear rise over a share of all steps, then half a cosine to 0."""
    rise = max(1, round(warmup * total))
    return lambda step: min(1.0, (step + 1) / rise) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total))))
