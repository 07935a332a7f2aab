"""The configuration of an adapter, as its `config.json` keeps it. Nothing here needs torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError

if TYPE_CHECKING:
    from .backbone import Backbone

MAX_SIZE = 65_536
"""Greatest number of channels, dimensions or members that is believed."""
GATE_TEMPERATURE = 0.1
"""Ladder Side-Tuning's: gate = sigmoid(a / 0.1)."""

TEXT_CONSTANT = 0.3
"""Value of every text in the dimension that holds the images' bias against hubs. The larger it is, the smaller the bias
need be there, and the more all cosines shrink: by 5 %."""


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """Sizes of an adapter, and the backbone it belongs to."""

    backbone: str
    """Name of the backbone (`--model`)."""
    fingerprint: str
    """Fingerprint of that backbone; another one is refused."""
    image_channels: int
    text_channels: int
    tap_channels: tuple[int, ...]
    """Channels of each image tap; empty for a linear probe on the pooled vector."""
    text_tap_channels: tuple[int, ...] = ()
    """Channels of each text tap; empty for a head on the pooled vector alone."""
    dim: int = 512
    """Dimensions of the joint embedding."""
    members: int = 1
    """Pairs of side branches, each of which makes an embedding of its own."""
    branch_dim: int = 0
    """Dimensions of each member's embedding; 0: an equal part of `dim`. Where those of all members add up to more than
    `dim`, the joint embedding is their projection."""
    width: int = 256
    """Width of a side branch."""
    heads: int = 8
    """Heads of a focus layer: the number of small targets that it can attend to at once."""
    dropout: float = 0.1
    """Dropout on the pooled vectors and on the result of a side branch, while training."""
    token_dropout: float = 0.0
    """Share of the tokens that a focus layer ignores in a training step, as a crop or occlusion would hide them."""
    bias_texts: int = 0
    """Texts in the bank of the bias against hubs, which takes the last of the dimensions; 0: no bias."""
    bias_strength: float = 0.0
    """Strength of that bias, see `hub_bias`."""
    bias_sharpness: float = 1.0
    """Sharpness of that bias, see `hub_bias`."""

    ground_m: tuple[float, ...] = ()
    """Least and greatest side of the ground in the pictures that it was trained on, metres; empty: not recorded."""

    @property
    def core_dim(self) -> int:
        """Dimensions of the joint embedding without that of the bias."""
        return self.dim - bool(self.bias_texts)

    @property
    def member_dim(self) -> int:
        """Dimensions of one member's embedding."""
        return self.branch_dim or self.core_dim // self.members

    @classmethod
    def of(cls, backbone: Backbone, **settings: Any) -> AdapterConfig:
        """Make the configuration that fits a backbone; `settings` are fields that differ from the defaults."""
        import numpy as np

        image = backbone.image(np.zeros((1, backbone.size, backbone.size, 3), np.uint8))
        text = backbone.text(["probe"])
        values: dict[str, Any] = {
            "backbone": backbone.spec,
            "fingerprint": backbone.fingerprint,
            "image_channels": image.pooled.shape[-1],
            "text_channels": text.pooled.shape[-1],
            "tap_channels": tuple(tap.shape[-1] for tap in image.taps),
            "text_tap_channels": tuple(tap.shape[-1] for tap in text.taps),
            **settings,
        }
        if backbone.aligned:  # an untrained adapter returns the backbone's own embedding
            values |= {"dim": image.pooled.shape[-1], "members": 1, "branch_dim": 0}
        return cls(**values)


def read_config(folder: Path) -> AdapterConfig:
    """Read the configuration of a saved adapter.

    Raises:
        ModelError: the folder has none, or it cannot be read.
    """
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(raw, dict):
            raise TypeError("it is no JSON object")
        taps = {name: tuple(raw.get(name, ())) for name in ("tap_channels", "text_tap_channels", "ground_m")}
        config = AdapterConfig(**{**raw, **taps})
        _check(config)
        return config
    except OSError as error:
        raise ModelError(
            f"no adapter at {folder} (config.json is missing); give a folder of `geocmer train`"
        ) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(f"adapter {folder} has no valid config.json ({error}); train it again") from error


def _check(config: AdapterConfig) -> None:
    """Refuse values that no adapter has: the file may be damaged, or somebody else's.

    Raises:
        ValueError: of one of them.
    """
    for name in ("backbone", "fingerprint"):
        if not isinstance(getattr(config, name), str):
            raise ValueError(f"{name} is no text")
    whole = ("image_channels", "text_channels", "dim", "members", "width", "heads")
    sizes = {name: getattr(config, name) for name in whole}
    for name in ("tap_channels", "text_tap_channels"):
        sizes |= {f"{name}[{n}]": size for n, size in enumerate(getattr(config, name))}
    for name, size in (*sizes.items(), ("branch_dim", config.branch_dim or 1)):
        if type(size) is not int or not 0 < size <= MAX_SIZE:
            raise ValueError(f"{name} is {size!r}, and not a whole number from 1 to {MAX_SIZE}")
    ground = config.ground_m
    if ground and not (
        len(ground) == 2 and all(type(m) in (int, float) for m in ground) and 0 < ground[0] <= ground[1]
    ):
        raise ValueError(f"ground_m is {ground!r}, and not two sides in metres, the least first")
    for name in ("dropout", "token_dropout"):
        share = getattr(config, name)
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
            raise ValueError(f"{name} is {share!r}, and not a share")
