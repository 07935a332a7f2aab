"""Frozen image and text towers, and the taps a side branch reads from them.

The towers are the bundled pair, or any that open_clip loads. Nothing here is ever trained; features leave under
`torch.inference_mode()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError

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
    """What a frozen tower says of a batch of n inputs.

    `pooled` is (n, channels): the tower's own embedding, not normalised. `taps` are (n, tokens, channels) each, from
    shallow to deep. `mask` is (n, tokens) of a text tower's taps, True where a token is a word and not padding.
    """

    pooled: torch.Tensor
    taps: tuple[torch.Tensor, ...] = ()
    mask: torch.Tensor | None = None


class Towers(Protocol):
    """What a backbone is made of: `bundled.Bundled`, `openclip.OpenClip`."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    aligned: bool

    def fingerprint(self) -> str: ...  # noqa: D102 - see the classes
    def image(self, x: torch.Tensor, taps: int) -> tuple[torch.Tensor, Sequence[torch.Tensor]]: ...  # noqa: D102
    def text(self, tokens: torch.Tensor, taps: int) -> tuple[torch.Tensor, Sequence[torch.Tensor], torch.Tensor]: ...  # noqa: D102
    def tokenize(self, texts: Sequence[str]) -> torch.Tensor: ...  # noqa: D102
    def whole(self) -> Any: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


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
            spec: `bundled`, or `bundled/NAME` for another of the image towers; `NAME/TAG` of open_clip
                (`ViT-B-32/laion2b_s34b_b79k`); `hf-hub:ORG/MODEL`; or `local-dir:PATH` of a model saved by open_clip.
            device: `auto`, `cuda`, `cuda:1`, `mps` or `cpu`.

        Raises:
            ModelError: unknown name, missing package or file, or no network for a hub model.
        """
        where = choose_device(device)
        name, _, variant = spec.partition("/")
        if name == BUNDLED:
            from .bundled import Bundled
            from .weights import BEST

            return cls(spec, Bundled(variant or BEST, where), where)
        from .openclip import OpenClip

        return cls(spec, OpenClip.load(spec, where), where)

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits over weights and preprocessing; equal for equal towers wherever they lie."""
        return self._towers.fingerprint()

    def whole(self) -> Any:
        """The towers as one module with `encode_image` and `encode_text`: to be copied, never trained in place."""
        return self._towers.whole()

    def release(self) -> None:
        """Free the memory of the towers, until they are used again: training on cached features needs none of it."""
        self._towers.release()

    def image(self, pixels: NDArray[np.uint8]) -> Features:
        """Features of uint8 RGB pictures (n, height, width, 3), resized to the tower's input where they differ."""
        import torch

        with torch.inference_mode(), self.autocast():
            pooled, maps = self._towers.image(self.prepare(pixels), TAPS)
            return Features(pooled.float(), tuple(tap.float().flatten(2).transpose(1, 2) for tap in maps))

    def text(self, texts: Sequence[str]) -> Features:
        """Features of captions or queries. Padding never changes them: the towers mask it, and so does `mask`."""
        import torch

        with torch.inference_mode():
            pooled, layers, words = self._towers.text(self.tokenize(texts), TEXT_TAPS)
            return Features(pooled.float(), tuple(layer.float() for layer in layers), words)

    def prepare(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        """Pictures as the image tower takes them: (n, 3, size, size), normalised, on the device."""
        import torch
        from torch.nn.functional import interpolate

        x = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(0, 3, 1, 2).float() / 255
        if x.shape[-2:] != (self.size, self.size):
            # `squash`, not crop: a tile's footprint must be the ground its embedding has seen.
            x = interpolate(x, (self.size, self.size), mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (
            torch.tensor(c, device=self.device).view(1, 3, 1, 1) for c in (self._towers.mean, self._towers.std)
        )
        return ((x - mean) / std).contiguous(memory_format=torch.channels_last)

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        """Texts as the text tower takes them: (n, tokens), on the device."""
        return self._towers.tokenize(texts)

    def autocast(self) -> Any:
        """bfloat16 on CUDA, float32 elsewhere: a vector must not depend on which processor made it."""
        import torch

        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda")
