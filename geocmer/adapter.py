"""The CMER adapter: a small trainable side branch beside two frozen towers.

The image side is the Focus-Adapter. The paper (arXiv 2501.10638) gives the idea, a focus layer that suppresses
background pixels; the formulas here are ours. Token weights are ReLU then L1-normalised, as in UniPT (CVPR 2024), so
that a background token weighs exactly 0; the ladder from tap to tap is gated as in Ladder Side-Tuning (NeurIPS 2022).
The text side is the same branch over the words of the text tower, padding masked.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .backbone import Backbone, Features
from .errors import ModelError

_GATE_TEMPERATURE = 0.1
"""Ladder Side-Tuning's: gate = sigmoid(a / 0.1)."""


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What an adapter is made of, and the backbone it belongs to."""

    backbone: str
    """How the backbone is asked for (`--model`)."""
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
    width: int = 256
    """Width of the side branch."""
    heads: int = 8
    """Heads of the focus layer: as many small targets can be held at once."""
    dropout: float = 0.1
    """On the pooled vectors and on the result of a side branch, while training."""
    token_dropout: float = 0.0
    """Share of the tokens that a focus layer does not see in a training step: crops and occlusion, at no cost."""

    @classmethod
    def of(cls, backbone: Backbone, **settings: Any) -> AdapterConfig:
        """The configuration that fits a backbone."""
        import numpy as np

        image = backbone.image(np.zeros((1, backbone.size, backbone.size, 3), np.uint8))
        text = backbone.text(["probe"])
        fit: dict[str, Any] = {
            "image_channels": image.pooled.shape[-1],
            "text_channels": text.pooled.shape[-1],
            "tap_channels": tuple(tap.shape[-1] for tap in image.taps),
            "text_tap_channels": tuple(tap.shape[-1] for tap in text.taps),
        }
        if backbone.aligned:
            fit["dim"] = image.pooled.shape[-1]
        return cls(**{"backbone": backbone.spec, "fingerprint": backbone.fingerprint, **fit, **settings})


class FocusLayer(nn.Module):
    """Pools a token map (n, tokens, channels) by the tokens a query looks for; background tokens weigh exactly 0.

    Queries live in the space of the tokens, and the down-projection follows the pooling, with which it commutes. So
    nothing trainable is computed per token, and training keeps no activation per token but the scores.
    """

    def __init__(self, channels: int, width: int, heads: int, token_dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.token_dropout = heads, token_dropout
        self.norm = nn.LayerNorm(channels, elementwise_affine=False)
        self.query = nn.Linear(width, heads * channels)
        self.down = nn.Parameter(torch.randn(heads, channels, width // heads) / channels**0.5)

    def forward(self, tokens: Tensor, state: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pooled tokens (n, width) and weights (n, heads, tokens) >= 0; a head sums to 1, or to 0 if blind.

        A token whose `mask` (n, tokens) is False weighs 0, as if it were not there.
        """
        n, _, channels = tokens.shape
        values = self.norm(tokens)
        query = self.query(state).view(n, self.heads, channels)
        weights = (query @ values.transpose(1, 2) / channels**0.5).relu()
        if mask is not None:
            weights = weights * mask[:, None]
        if self.training and self.token_dropout:
            weights = weights * (torch.rand(n, 1, tokens.shape[1], device=tokens.device) >= self.token_dropout)
        weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-6)
        pooled = torch.einsum("nhc,hcw->nhw", weights @ values, self.down)
        return pooled.reshape(n, -1), weights


class SideBranch(nn.Module):
    """From the pooled vector, through the taps, to a correction of the projected pooled vector; 0 when untrained."""

    def __init__(self, channels: int, taps: tuple[int, ...], cfg: AdapterConfig) -> None:
        super().__init__()
        self.project = nn.Linear(channels, cfg.dim, bias=False)
        if channels == cfg.dim:
            nn.init.eye_(self.project.weight)  # an untrained adapter returns the backbone's own embedding
        self.start = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, cfg.width), nn.GELU())
        self.focus = nn.ModuleList(FocusLayer(c, cfg.width, cfg.heads, cfg.token_dropout) for c in taps)
        self.gates = nn.Parameter(torch.zeros(len(taps)))
        self.mix = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(cfg.width), nn.Linear(cfg.width, cfg.width), nn.GELU()) for _ in taps
        )
        self.drop = nn.Dropout(cfg.dropout)
        self.up = nn.Linear(cfg.width, cfg.dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, features: Features) -> tuple[Tensor, list[Tensor]]:
        """Unit vectors (n, dim), and the focus weights of each tap."""
        state = self.start(self.drop(features.pooled))
        maps = []
        for i, (focus, mix) in enumerate(zip(self.focus, self.mix, strict=True)):
            seen, weights = focus(features.taps[i], state, features.mask)
            gate = torch.sigmoid(self.gates[i] / _GATE_TEMPERATURE)
            state = gate * state + (1 - gate) * seen
            state = state + mix(state)
            maps.append(weights)
        return normalize(self.project(self.drop(features.pooled)) + self.up(self.drop(state)), dim=-1), maps


class Adapter(nn.Module):
    """The trainable part: one side branch per tower, and the temperature of the loss."""

    def __init__(self, cfg: AdapterConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.image_branch = SideBranch(cfg.image_channels, cfg.tap_channels, cfg)
        self.text_branch = SideBranch(cfg.text_channels, cfg.text_tap_channels, cfg)
        self.log_scale = nn.Parameter(torch.tensor(14.3).log())  # 1 / 0.07, where CLIP starts

    def image(self, features: Features) -> Tensor:
        """Unit image vectors (n, dim)."""
        vectors: Tensor = self.image_branch(features)[0]
        return vectors

    def text(self, features: Features) -> Tensor:
        """Unit text vectors (n, dim)."""
        vectors: Tensor = self.text_branch(features)[0]
        return vectors

    def focus_maps(self, features: Features) -> list[Tensor]:
        """Weight of every token of every tap, (n, heads, tokens) each."""
        maps: list[Tensor] = self.image_branch(features)[1]
        return maps

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors` (float16); a name is only taken once its file is whole."""
        from safetensors.torch import save

        folder.mkdir(parents=True, exist_ok=True)
        half = {name: tensor.detach().cpu().half().contiguous() for name, tensor in self.state_dict().items()}
        files = {
            "config.json": json.dumps(asdict(self.cfg), indent=2).encode() + b"\n",
            "model.safetensors": save(half),
        }
        for name, content in files.items():
            temporary = folder / f".{name}.tmp"
            temporary.write_bytes(content)
            temporary.replace(folder / name)

    @classmethod
    def load(cls, folder: Path, backbone: Backbone) -> Adapter:
        """Read an adapter for a backbone.

        Raises:
            ModelError: no adapter there, damaged, or made for another backbone.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        cfg = read_config(folder)
        if cfg.fingerprint != backbone.fingerprint:
            raise ModelError(
                f"adapter {folder} belongs to backbone {cfg.backbone!r} ({cfg.fingerprint[:8]}), not to "
                f"{backbone.spec!r} ({backbone.fingerprint[:8]}); use --model {cfg.backbone}, or train an adapter for "
                "this backbone"
            )
        adapter = cls(cfg)
        try:
            adapter.load_state_dict({k: v.float() for k, v in load_file(folder / "model.safetensors").items()})
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ModelError(f"adapter {folder} is damaged ({str(error).splitlines()[0]}); train it again") from error
        return adapter.to(backbone.device).eval().requires_grad_(False)


def read_config(folder: Path) -> AdapterConfig:
    """The configuration of a saved adapter.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        taps = {name: tuple(raw.get(name, ())) for name in ("tap_channels", "text_tap_channels")}
        return AdapterConfig(**{**raw, **taps})
    except OSError as error:
        raise ModelError(
            f"no adapter at {folder} (config.json is missing); give a folder of `geocmer train`"
        ) from error
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise ModelError(f"adapter {folder} has no valid config.json ({error}); train it again") from error
