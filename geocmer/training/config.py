"""How an adapter is trained: every setting, its default and what it means."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError
from .views import VIEWS

METHODS = ("cmer", "linear")
BASELINES = ("adapter", "lora", "full")
"""Trained by `baselines.train_baseline`, for comparison."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How an adapter is trained. The defaults were chosen on RSICD's validation split."""

    method: str = "cmer"
    """`cmer`: side branches with focus layers. For comparison: `linear`, linear heads on the pooled vectors, and with
    gradients through the towers `adapter` (in their trunks), `lora` and `full` fine-tuning."""
    epochs: int = 20
    """Passes over the training pictures."""
    batch: int = 128
    """Pictures per step, over all processes."""
    captions: int = 1
    """Captions of each picture per step; each further one is a further positive of the picture."""
    learning_rate: float = 8e-4
    """Peak learning rate of AdamW."""
    weight_decay: float = 0.1
    """Of matrices; biases, norms, gates and the temperature have none."""
    warmup: float = 0.05
    """Share of all steps over which the learning rate rises; it falls along a cosine afterwards."""
    smoothing: float = 0.1
    """Label smoothing of the contrastive targets."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    average: float = 0.99
    """Decay per step of the running average of the weights, which is what is validated and kept."""
    views: int = 8
    """How many of the 16 views of a picture are trained on: its flips and quarter turns, then those of its corners."""
    label_share: float = 0.0
    """Share of the captions that are rewritten with their scene category (scene label augmentation)."""
    queue: int = 0
    """Embedded pairs kept as recycled negatives; 0 for none."""
    queue_weight: float = 0.5
    """Weight of the queue's loss beside the batch's."""
    queue_start: float = 0.1
    """Share of all steps before the queue's loss begins: embeddings drift fast at first (XBM, CVPR 2020)."""
    focus: bool = True
    """Whether the side branches read the towers' taps; without, they are heads on the pooled vectors alone."""
    members: int = 3
    """Pairs of side branches that are trained one after the other, an ensemble; a linear probe and towers that share a
    space have one."""
    branch_dim: int = 512
    """Dimensions in which each member is trained."""
    dim: int = 384
    """Dimensions of the joint embedding: the principal ones of all members', once they are trained. Towers that share a
    space keep theirs, and a linear probe has `branch_dim`."""
    width: int = 256
    """Width of each side branch."""
    heads: int = 8
    """Heads of each focus layer."""
    dropout: float = 0.3
    """Dropout on the pooled vectors and on the result of a side branch."""
    token_dropout: float = 0.3
    """Share of the tokens that each focus layer does not see in a training step."""
    seed: int = 0
    """Of every random choice."""

    def __post_init__(self) -> None:
        if self.method not in METHODS + BASELINES:
            known = ", ".join(METHODS + BASELINES)
            raise InputError(f"method {self.method!r} is unknown; choose one of {known}")
        if not 1 <= self.views <= VIEWS:
            raise InputError(f"views must be 1 to {VIEWS}, not {self.views}")
        least_of = {"epochs": 1, "batch": 2, "captions": 1, "queue": 0, "members": 1, "heads": 1, "dim": 1}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, not {getattr(self, name)}")
        for name in ("warmup", "smoothing", "label_share", "queue_start", "dropout", "token_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be a share, 0 to 1, not {getattr(self, name)}")
        if self.width % self.heads:
            raise InputError(f"width {self.width} is not a multiple of heads {self.heads}; change one of them")
        if self.dim > self.members * self.branch_dim:
            raise InputError(f"dim {self.dim} is more than members x branch_dim, {self.members} x {self.branch_dim}")
