"""The frozen features of texts: what the text tower makes of them, computed once, beside those of the images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._files import atomic_path, naming_disk_errors
from .._types import Progress
from ..models.backbone import TEXT_TAPS, Backbone, Features
from .feature_cache import exclusive

_BLOCK_TEXTS = 256
"""Texts that are computed at once, and kept in one file."""


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Frozen features of distinct texts: pooled vectors, and the token maps of all texts end to end, memory-mapped.

    `pooled` is (texts, channels); `tokens` (tokens of all texts, taps, channels) float16; text i owns tokens
    `starts[i]:starts[i + 1]`. Equal texts are one row, so that their scores tie to the last bit.
    """

    index: Mapping[str, int]
    pooled: NDArray[np.float32]
    tokens: NDArray[np.float16]
    starts: NDArray[np.int64]

    def rows(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Find the row of each of n texts, (n,)."""
        return np.array([self.index[text] for text in texts], np.int64)

    def batch(self, rows: NDArray[np.int64]) -> Features:
        """Read the features of the given rows as float32 tensors on the CPU, padded to the longest, with the mask."""
        import torch

        begin = self.starts[rows]
        length = self.starts[rows + 1] - begin
        at = np.arange(max(1, length.max(initial=0)))
        mask = at < length[:, None]
        padded = np.zeros((*mask.shape, *self.tokens.shape[1:]), np.float16)
        padded[mask] = self.tokens[(begin[:, None] + at)[mask]]
        taps = torch.from_numpy(padded).float().unbind(2)
        return Features(torch.from_numpy(self.pooled[rows]), taps, torch.from_numpy(mask))


def text_features(
    backbone: Backbone, texts: Sequence[str], folder: Path, progress: Progress | None = None
) -> TextFeatures:
    """Compute, or find in `folder`, the features of texts; an interrupted call continues after its last block.

    Raises:
        InputError: another run is computing the same, or the disk has no room.
    """
    unique = sorted(set(texts), key=lambda t: (len(t), t))  # batches of like length carry little padding
    key = hashlib.blake2b("\0".join(unique).encode(), digest_size=16).hexdigest()
    home = folder / backbone.fingerprint / f"{key}-{TEXT_TAPS}"
    parts = [home / f"{start}.npz" for start in range(0, len(unique), _BLOCK_TEXTS)]
    tokens = home / "words.npy"
    if not tokens.exists():
        with naming_disk_errors(folder, "--cache-dir"):
            home.mkdir(parents=True, exist_ok=True)
        with exclusive(home), naming_disk_errors(folder, "--cache-dir"):
            _fill_texts(backbone, unique, parts, tokens, progress)
    starts = np.cumsum([0, *np.concatenate([np.load(part)["lengths"] for part in parts])])
    pooled = np.concatenate([np.load(part)["pooled"] for part in parts])
    return TextFeatures({t: i for i, t in enumerate(unique)}, pooled, np.load(tokens, mmap_mode="r"), starts)


def _fill_texts(
    backbone: Backbone, texts: list[str], parts: list[Path], tokens: Path, progress: Progress | None
) -> None:
    """Compute the features of texts, a part at a time, then put the tokens of all parts into one file."""
    for number, part in enumerate(parts):
        if not part.exists():
            _save_texts(backbone, texts[number * _BLOCK_TEXTS : (number + 1) * _BLOCK_TEXTS], part)
        if progress:
            progress(min((number + 1) * _BLOCK_TEXTS, len(texts)), len(texts))
    with atomic_path(tokens) as draft:
        np.save(draft, np.concatenate([np.load(part)["words"] for part in parts]))


def _save_texts(backbone: Backbone, texts: list[str], path: Path) -> None:
    features = backbone.text(texts)
    arrays: dict[str, Any] = {"pooled": features.pooled.cpu().numpy(), "lengths": np.zeros(len(texts), np.int64)}
    if features.mask is None:
        arrays["words"] = np.empty((0, 0, 0), np.float16)
    else:
        mask = features.mask.cpu().numpy()
        arrays["lengths"] = mask.sum(1)
        arrays["words"] = np.stack([tap.cpu().numpy()[mask] for tap in features.taps], 1).astype(np.float16)
    with atomic_path(path) as draft:
        np.savez(draft, **arrays)
