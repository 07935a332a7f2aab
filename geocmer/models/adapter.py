"""The CMER adapter: a small trainable side branch beside two frozen towers.

The image side is the Focus-Adapter. The paper (arXiv 2501.10638) gives the idea, a focus layer that suppresses
background pixels; the formulas here are ours. Token weights are ReLU then L1-normalised, as in UniPT (CVPR 2024), so
that a background token weighs exactly 0; the ladder from tap to tap is gated as in Ladder Side-Tuning (NeurIPS 2022).
The text side is the same branch over the tokens of the text tower, padding masked. Several such pairs of branches, each
trained by itself, are the members of an ensemble (Lakshminarayanan et al., NeurIPS 2017). Their vectors are joined and
projected on the principal directions of the training images and captions, so that an embedding stays short.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .._files import write_atomically
from ..errors import ModelError
from .adapter_config import GATE_TEMPERATURE, TEXT_CONSTANT, AdapterConfig, read_config
from .backbone import Backbone, Features
from .hub_bias import HubBias

_BIAS_LOG_SCALE = math.log(1 - TEXT_CONSTANT**2) / 2
"""Logarithm of what a bias multiplies all cosines with."""


class FocusLayer(nn.Module):
    """Pools a token map (n, tokens, channels) with attention weights; background tokens weigh exactly 0.

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
        """Compute pooled tokens (n, width) and weights (n, heads, tokens) >= 0.

        The weights of a head sum to 1, or to 0 where no token has a positive score. A token whose `mask` (n, tokens)
        is False weighs 0.
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
    """Reads the taps one after the other and corrects the projected pooled vector; an untrained branch adds 0."""

    def __init__(self, channels: int, taps: tuple[int, ...], cfg: AdapterConfig) -> None:
        super().__init__()
        self.project = nn.Linear(channels, cfg.member_dim, bias=False)
        if channels == cfg.member_dim:
            nn.init.eye_(self.project.weight)  # an untrained adapter returns the backbone's own embedding
        self.start = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, cfg.width), nn.GELU())
        self.focus = nn.ModuleList(FocusLayer(c, cfg.width, cfg.heads, cfg.token_dropout) for c in taps)
        self.gates = nn.Parameter(torch.zeros(len(taps)))
        self.mix = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(cfg.width), nn.Linear(cfg.width, cfg.width), nn.GELU()) for _ in taps
        )
        self.drop = nn.Dropout(cfg.dropout)
        self.up = nn.Linear(cfg.width, cfg.member_dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, features: Features) -> tuple[Tensor, list[Tensor]]:
        """Compute unit vectors (n, member_dim), and the focus weights of each tap."""
        state = self.start(self.drop(features.pooled))
        focus_maps = []
        for i, (focus, mix) in enumerate(zip(self.focus, self.mix, strict=True)):
            focused, weights = focus(features.taps[i], state, features.mask_of(i))
            gate = torch.sigmoid(self.gates[i] / GATE_TEMPERATURE)
            state = gate * state + (1 - gate) * focused
            state = state + mix(state)
            focus_maps.append(weights)
        vectors = self.project(self.drop(features.pooled)) + self.up(self.drop(state))
        return normalize(vectors, dim=-1), focus_maps


class Adapter(nn.Module):
    """The trainable part: a side branch per tower for each member, and the temperature of the loss."""

    def __init__(self, cfg: AdapterConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.image_branches, self.text_branches = (
            nn.ModuleList(SideBranch(channels, taps, cfg) for _ in range(cfg.members))
            for channels, taps in (
                (cfg.image_channels, cfg.tap_channels),
                (cfg.text_channels, cfg.text_tap_channels),
            )
        )
        self.log_scale = nn.Parameter(torch.tensor(14.3).log())  # 1 / 0.07, where CLIP starts
        total_dim = cfg.members * cfg.member_dim
        self.basis: Tensor | None
        self.register_buffer("basis", torch.zeros(total_dim, cfg.core_dim) if total_dim > cfg.core_dim else None)
        self.hub_bias = None
        if cfg.bias_texts:
            self.hub_bias = HubBias(cfg.bias_texts, cfg.core_dim, cfg.bias_strength, cfg.bias_sharpness)

    def image(self, features: Features) -> Tensor:
        """Embed image features as unit vectors (n, dim)."""
        vectors = self._combine_members([branch(features)[0] for branch in self.image_branches])
        return self.hub_bias.image(vectors) if self.hub_bias else vectors

    def text(self, features: Features) -> Tensor:
        """Embed text features as unit vectors (n, dim)."""
        vectors = self._combine_members([branch(features)[0] for branch in self.text_branches])
        return self.hub_bias.text(vectors) if self.hub_bias else vectors

    @classmethod
    def from_members(cls, adapters: Sequence[Adapter]) -> Adapter:
        """Make one adapter of several of equal configuration; its cosines are the means of theirs."""
        first, count = adapters[0], len(adapters)
        if count == 1:
            return first
        ensemble = cls(replace(first.cfg, dim=count * first.cfg.dim, members=count)).to(first.log_scale.device)
        for member, adapter in enumerate(adapters):
            ensemble.image_branches[member].load_state_dict(adapter.image_branches[0].state_dict())
            ensemble.text_branches[member].load_state_dict(adapter.text_branches[0].state_dict())
        scales = torch.stack([adapter.log_scale.detach() for adapter in adapters])
        ensemble.log_scale.data.copy_(scales.mean())
        return ensemble

    def member(self, index: int) -> Adapter:
        """Copy one member, an adapter by itself without a basis and a bias; what `from_members` puts together."""
        adapter = Adapter(replace(self.cfg, dim=self.cfg.member_dim, members=1, branch_dim=0, bias_texts=0))
        adapter.image_branches[0].load_state_dict(self.image_branches[index].state_dict())
        adapter.text_branches[0].load_state_dict(self.text_branches[index].state_dict())
        adapter.log_scale.data.copy_(self.log_scale.detach() + (_BIAS_LOG_SCALE if self.hub_bias else 0))
        return adapter.to(self.log_scale.device)

    def with_basis(self, basis: Tensor) -> Adapter:
        """Copy the adapter and project its vectors on an orthonormal basis (members x member_dim, dim)."""
        adapter = Adapter(replace(self.cfg, dim=basis.shape[1], branch_dim=self.cfg.member_dim)).to(basis.device)
        adapter.load_state_dict({**self.state_dict(), "basis": basis})
        return adapter

    def with_bias(self, bank: Tensor, images: Tensor, strength: float, sharpness: float) -> Adapter:
        """Copy the adapter and take a bias against hubs off its cosines, see `hub_bias`.

        Args:
            bank: unit vectors (k, dim) of texts of the kind that is asked for.
            images: unit vectors (n, dim) of images as they are searched; their mean bias becomes 0.
            strength: of the bias.
            sharpness: of the bias.
        """
        settings: dict[str, Any] = {"bias_texts": len(bank), "bias_strength": strength, "bias_sharpness": sharpness}
        cfg = replace(self.cfg, dim=self.cfg.dim + 1, branch_dim=self.cfg.member_dim, **settings)
        adapter = Adapter(cfg).to(bank.device)
        adapter.load_state_dict(self.state_dict(), strict=False)
        assert adapter.hub_bias is not None  # it has texts
        adapter.hub_bias.fit(bank, images)
        adapter.log_scale.data -= _BIAS_LOG_SCALE  # scaled cosines stay what they were trained to be
        return adapter

    def _combine_members(self, member_vectors: list[Tensor]) -> Tensor:
        """Concatenate the members' vectors, so that a cosine is the mean of theirs, and project them on the basis."""
        vectors = torch.cat(member_vectors, -1) / math.sqrt(len(member_vectors))
        return vectors if self.basis is None else normalize(vectors @ self.basis, dim=-1)

    def focus_maps(self, features: Features) -> list[Tensor]:
        """Compute the weights of the image tokens, (n, members x heads, tokens) for each tap."""
        maps_of_members = [branch(features)[1] for branch in self.image_branches]
        return [torch.cat(maps, 1) for maps in zip(*maps_of_members, strict=True)]

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors` (float16), each atomically."""
        from safetensors.torch import save

        folder.mkdir(parents=True, exist_ok=True)
        float16 = {name: tensor.detach().cpu().half().contiguous() for name, tensor in self.state_dict().items()}
        files = {
            "config.json": json.dumps(asdict(self.cfg), indent=2).encode() + b"\n",
            "model.safetensors": save(float16),
        }
        for name, content in files.items():
            write_atomically(folder / name, content)

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
        try:
            adapter = cls(cfg)
            adapter.load_state_dict({k: v.float() for k, v in load_file(folder / "model.safetensors").items()})
        except (OSError, SafetensorError, RuntimeError, ValueError, AssertionError, ZeroDivisionError) as error:
            raise ModelError(f"adapter {folder} is damaged ({str(error).splitlines()[0]}); train it again") from error
        return adapter.to(backbone.device).eval().requires_grad_(False)
