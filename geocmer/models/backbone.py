"""Frozen image and text towers, and the taps a side branch reads from them.

`families` lists the towers that there are. Nothing here is ever trained; features leave under `torch.inference_mode()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .families import family_of
from .trust import remember

if TYPE_CHECKING:
    import torch

BUNDLED = "bundled"
"""Name of the default pair of towers; `bundled/lite2` names another image tower than the default."""

TAPS = 2
"""Token maps taken from the image tower: its last two depths (15x15x112 and 8x8x320 for EfficientNet-lite1)."""

TEXT_TAPS = 1
"""Layers taken from the text tower: the last."""


@dataclass(frozen=True, slots=True)
class Features:
    """Output of a frozen tower for a batch of n inputs.

    `pooled` is (n, channels): the tower's own embedding, not normalised. `taps` are (n, tokens, channels) each, from
    shallow to deep. `mask` is (n, tokens) of a text tower's taps, False on padding. `image_masks` are (n, tokens) of
    each tap of an image tower, False where most of the pixels under a token are invalid; none: every pixel is valid.
    """

    pooled: torch.Tensor
    taps: tuple[torch.Tensor, ...] = ()
    mask: torch.Tensor | None = None
    image_masks: tuple[torch.Tensor, ...] = ()

    def mask_of(self, tap: int) -> torch.Tensor | None:
        """Return the mask (n, tokens) of a tap; None where every token counts."""
        return self.image_masks[tap] if self.image_masks else self.mask


class Towers(Protocol):
    """Two towers that a backbone wraps: `bundled.Bundled`, `openclip.OpenClip`."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    aligned: bool

    def fingerprint(self) -> str: ...  # noqa: D102 - see the classes
    def image(self, x: torch.Tensor, taps: int) -> tuple[torch.Tensor, Sequence[torch.Tensor]]: ...  # noqa: D102
    def text(self, tokens: torch.Tensor, taps: int) -> tuple[torch.Tensor, Sequence[torch.Tensor], torch.Tensor]: ...  # noqa: D102
    def tokenize(self, texts: Sequence[str]) -> torch.Tensor: ...  # noqa: D102
    def trainable_module(self) -> Any: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


def choose_device(name: str = "auto") -> torch.device:
    """Choose the device to compute on: CUDA, else MPS, else CPU, unless `name` says which.

    Raises:
        ModelError: the named device is not present.
    """
    import torch

    available = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if name == "auto":
        return torch.device(available[0])
    if name.split(":", maxsplit=1)[0] not in available:
        raise ModelError(f"device {name!r} is not available; this machine has: {', '.join(available)}")
    return torch.device(name)


class Backbone:
    """Two frozen towers with their preprocessing.

    Attributes:
        spec: name of the towers, as given to `load`; a file or folder in it is absolute.
        size: side of the square input, pixels.
        aligned: whether the two towers share one embedding space (a CLIP); the bundled pair does not.
    """

    def __init__(self, spec: str, towers: Towers, device: torch.device) -> None:
        self.spec, self.device = spec, device
        self.size, self.aligned = towers.size, towers.aligned
        self._towers = towers

    @classmethod
    def load(cls, spec: str = BUNDLED, device: str = "auto") -> Backbone:
        """Load towers by name.

        Args:
            spec: one of the forms of `families.FAMILIES`, as `bundled` or `ViT-B-32/laion2b_s34b_b79k`.
            device: `auto`, `cuda`, `cuda:1`, `mps` or `cpu`.

        Raises:
            ModelError: unknown name, missing package or file, or no network for a hub model.
        """
        chosen, family = choose_device(device), family_of(spec)
        spec = family.identity(spec)
        loaded = cls(spec, family.load(spec, chosen), chosen)
        remember(spec)
        return loaded

    @cached_property
    def fingerprint(self) -> str:
        """Hash of weights and preprocessing, 32 hex digits; equal for equal towers wherever they lie."""
        return self._towers.fingerprint()

    def trainable_module(self) -> Any:
        """Return the towers as one module with `encode_image` and `encode_text`: to be trained as a copy."""
        return self._towers.trainable_module()

    def release(self) -> None:
        """Free the memory of the towers, until they are used again: training on cached features needs none of it."""
        self._towers.release()

    def image(self, pixels: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> Features:
        """Compute features of images.

        Args:
            pixels: uint8 RGB (n, height, width, 3), resized to the tower's input where they differ.
            valid: (n, height, width) True on pixels that show ground; None: all do.
        """
        import torch

        with torch.inference_mode(), self.autocast():
            pooled, maps = self._towers.image(self.prepare(pixels), TAPS)
            taps = tuple(tap.float().flatten(2).transpose(1, 2) for tap in maps)
            masks = () if valid is None else tuple(_token_mask(valid, tap).to(self.device) for tap in maps)
            return Features(pooled.float(), taps, image_masks=masks)

    def text(self, texts: Sequence[str]) -> Features:
        """Compute features of captions or queries. The towers mask padding, which never changes a result."""
        import torch

        with torch.inference_mode():
            pooled, layers, mask = self._towers.text(self.tokenize(texts), TEXT_TAPS)
            return Features(pooled.float(), tuple(layer.float() for layer in layers), mask)

    def prepare(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        """Prepare images for the image tower: (n, 3, size, size), normalised, on the device."""
        import torch
        from torch.nn.functional import interpolate

        x = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(0, 3, 1, 2).float() / 255
        if x.shape[-2:] != (self.size, self.size):
            # Squashed, not cropped: a tile's footprint must be the ground that its embedding stands for.
            x = interpolate(x, (self.size, self.size), mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (
            torch.tensor(c, device=self.device).view(1, 3, 1, 1) for c in (self._towers.mean, self._towers.std)
        )
        return ((x - mean) / std).contiguous(memory_format=torch.channels_last)

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        """Cut texts into the token ids that the text tower takes: (n, tokens), on the device."""
        return self._towers.tokenize(texts)

    def autocast(self) -> Any:
        """Compute in bfloat16 on CUDA, in float32 elsewhere: a vector must not depend on the processor."""
        import torch

        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda")


def _token_mask(valid: NDArray[np.bool_], tap: torch.Tensor) -> torch.Tensor:
    """Mark the tokens of a tap (n, channels, rows, columns) half of whose pixels are valid, (n, rows x columns)."""
    import torch
    from torch.nn.functional import adaptive_avg_pool2d

    shares = adaptive_avg_pool2d(torch.from_numpy(valid.astype(np.float32))[:, None], (tap.shape[-2], tap.shape[-1]))
    return shares.flatten(1) >= 0.5
