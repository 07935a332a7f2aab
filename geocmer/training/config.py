"""The settings of a training run: every one with its default and its meaning, and reading them from a TOML file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from ..errors import InputError
from .views import MAX_VIEWS

METHODS = ("cmer", "linear")
"""Methods that train an adapter on frozen towers."""

BASELINE_RATES = {"adapter": 1e-3, "lora": 2e-4, "full": 1e-5}
"""Methods of `baselines.train_baseline`, for comparison, and a peak learning rate that suits each: the more weights are
trained, the smaller the step."""
_COUNTS = {
    "epochs": (1, 10**6),
    "batch": (2, 2**20),
    "captions": (1, 100),
    "members": (1, 100),
    "heads": (1, 2**10),
    "width": (1, 2**14),
    "branch_dim": (1, 2**14),
    "dim": (1, 2**20),
    "queue": (0, 10**7),
    "bias_texts": (0, 10**7),
    "known_captions": (0, 10**7),
}
"""Settings that count something -> the least and the most; more would end in an error of the memory at best."""
MAX_SEED = 2**32 - 1
"""Seeds of members, epochs and processes are multiples of the seed, and torch takes 64 bits."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of a training run. The defaults were chosen on RSICD's validation split."""

    method: str = "cmer"
    """`cmer`: side branches with focus layers. For comparison: `linear`, linear heads on the pooled vectors, and with
    gradients through the towers `adapter` (in their trunks), `lora` and `full` fine-tuning."""
    start: str = ""
    """Folder of an adapter to go on from, `bundled` for the one that ships: it has as many members of the same sizes as
    are trained; none: from the beginning."""
    epochs: int = 20
    """Passes over the training images."""
    batch: int = 128
    """Images per step, over all processes."""
    captions: int = 1
    """Captions of each image per step; each further one is a further positive of the image."""
    learning_rate: float = 8e-4
    """Peak learning rate of AdamW."""
    weight_decay: float = 0.1
    """Weight decay of matrices; biases, norms, gates and the temperature have none."""
    warmup: float = 0.05
    """Share of all steps over which the learning rate rises; it falls along a cosine afterwards."""
    smoothing: float = 0.1
    """Label smoothing of the contrastive targets."""
    clip: float = 1.0
    """Norm that the gradient is clipped to."""
    average: float = 0.99
    """Decay per step of the moving average of the weights; the averaged weights are validated and kept."""
    views: int = 8
    """Number of views of an image to train on: itself, then variations of resolution, contrast, colour and turn."""
    weights: tuple[float, ...] = ()
    """Weight of each set in what is trained on, in any unit; none: every image is seen equally often."""
    similar: float = 0.7
    """Cosine in the text tower from which on a text may describe another image too, and is no negative of it, if the
    captions of either were made of labels."""
    bias_texts: int = 1024
    """Training captions in the bank of the bias against hubs; 0: no bias. A linear probe and towers that share a space
    have none."""
    bias_strength: float = 0.5
    """Strength of the bias: how much of it is taken off the cosine."""
    bias_sharpness: float = 10.0
    """Sharpness of the bias: the larger, the more the texts count that an image is most like."""
    known_captions: int = 1024
    """Training captions that the adapter keeps, and draws short queries to that have words no caption has; 0: none. A
    linear probe and towers that share a space have none."""
    label_share: float = 0.0
    """Share of the captions that are rewritten with their scene category (scene label augmentation)."""
    queue: int = 0
    """Number of embedded pairs kept as recycled negatives; 0 for none."""
    queue_weight: float = 0.5
    """Weight of the queue's loss beside the batch's."""
    queue_start: float = 0.1
    """Share of all steps before the queue's loss begins: embeddings drift fast at first (XBM, CVPR 2020)."""
    focus: bool = True
    """Whether the side branches read the taps of the towers; if not, they are heads on the pooled vectors alone."""
    members: int = 3
    """Pairs of side branches in the ensemble, trained one after the other; a linear probe and towers that share a space
    have one."""
    branch_dim: int = 512
    """Dimensions of the embedding in which each member is trained."""
    dim: int = 384
    """Dimensions of the joint embedding: the members' vectors are projected on so many principal directions after
    training. Towers that share a space keep their dimensions, and a linear probe has `branch_dim`."""
    width: int = 256
    """Width of each side branch."""
    heads: int = 8
    """Heads of each focus layer; the width must be a multiple of it."""
    dropout: float = 0.3
    """Dropout on the pooled vectors and on the result of a side branch."""
    token_dropout: float = 0.3
    """Share of the tokens that each focus layer ignores in a training step."""
    ground_m: tuple[float, ...] = ()
    """Least and greatest side of the ground in a training image, metres, which the adapter records, so that
    `geocmer tile` says when tiles cover far less or more; none: what the sets say (`gsd_m`), if all of them do."""
    seed: int = 0
    """Seed of every random choice: batches, views, dropout, the split of a store into training and validation."""

    def __post_init__(self) -> None:
        if self.method not in (*METHODS, *BASELINE_RATES):
            known = ", ".join((*METHODS, *BASELINE_RATES))
            raise InputError(f"method {self.method!r} is unknown; choose one of {known}")
        if not 1 <= self.views <= MAX_VIEWS:
            raise InputError(f"views must be 1 to {MAX_VIEWS}, not {self.views}")
        for name, (least, most) in _COUNTS.items():
            if not least <= getattr(self, name) <= most:
                raise InputError(f"{name} must be {least} to {most}, not {getattr(self, name)}")
        if not -1 <= self.similar <= 1:
            raise InputError(f"similar must be a cosine, -1 to 1, not {self.similar}")
        if not all(0 < weight < math.inf for weight in self.weights):
            raise InputError(f"weights must be above 0 and finite, not {list(self.weights)}")
        for name in ("warmup", "label_share", "queue_start"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be a share, 0 to 1, not {getattr(self, name)}")
        for name in ("smoothing", "average", "dropout", "token_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must be 0 or more and below 1, not {getattr(self, name)}")
        for name in ("learning_rate", "clip", "bias_sharpness"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be above 0 and finite, not {getattr(self, name)}")
        for name in ("weight_decay", "queue_weight", "bias_strength"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} must be 0 or more and finite, not {getattr(self, name)}")
        if not 0 <= self.seed <= MAX_SEED:
            raise InputError(f"seed must be 0 to {MAX_SEED}, not {self.seed}")
        if self.ground_m and (len(self.ground_m) != 2 or not 0 < self.ground_m[0] <= self.ground_m[1] < math.inf):
            raise InputError(
                f"ground_m must be two sides in metres, the least first, as [75, 4800], not {list(self.ground_m)}"
            )
        if self.width % self.heads:
            raise InputError(f"width {self.width} is not a multiple of heads {self.heads}; change one of them")
        if self.bias_texts and self.dim < 2:
            raise InputError(
                f"dim must be at least 2 with a bias, which takes one, not {self.dim}; or set bias_texts to 0"
            )
        if self.dim > self.members * self.branch_dim:
            raise InputError(f"dim {self.dim} is more than members x branch_dim, {self.members} x {self.branch_dim}")


def read_settings(path: Path | None = None, given: Mapping[str, Any] | None = None) -> TrainConfig:
    """Combine the settings of a run: the defaults, then those of the file, then the given ones; the later wins.

    Args:
        path: TOML file with any of the fields of `TrainConfig`, at its top level.
        given: values by name, as from the command line; None leaves a field as it is.

    Raises:
        InputError: the file cannot be read, has an unknown key or a value of another type, or a setting is refused.
    """
    overrides = {name: value for name, value in (given or {}).items() if value is not None}
    settings = {**(_read_toml(path) if path else {}), **overrides}
    if settings.get("method") in BASELINE_RATES:
        settings.setdefault("learning_rate", BASELINE_RATES[settings["method"]])
    return TrainConfig(**settings)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise InputError(f"settings {path} cannot be read ({error.strerror}); give a TOML file") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"settings {path} are not TOML ({error})") from error
    hints = get_type_hints(TrainConfig)
    names = [field.name for field in fields(TrainConfig)]
    for key in raw:
        if key not in names:
            near = get_close_matches(key.replace("-", "_"), names, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys are: {', '.join(sorted(names))}"
            raise InputError(f"settings {path} have the unknown key {key!r}; {hint}")
    return {key: _check_type(path, key, value, hints[key]) for key, value in raw.items()}


def _check_type(path: Path, key: str, value: Any, kind: Any) -> Any:
    """Refuse a value of another type than its setting's; a whole number may stand for a float."""
    if kind is float and type(value) is int:
        return float(value)
    if kind == tuple[float, ...] and type(value) is list and all(type(x) in (int, float) for x in value):
        return tuple(map(float, value))
    if type(value) is not kind:  # bool is an int to isinstance, and a batch of `true` is none
        needed = "list of numbers" if kind == tuple[float, ...] else f"{kind.__name__}"
        raise InputError(f"settings {path}: {key} = {value!r} is a {type(value).__name__}; it must be a {needed}")
    return value
