"""The cache of frozen features: what the towers say of a captioned set, computed once and read by every epoch.

Nothing trainable lies upstream of the towers, so their output for a picture under a fixed set of augmentations never
changes. It is kept as float16 memory maps under a key of backbone and picture contents; a run that was interrupted
goes on after its last complete block.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._files import atomic_path, write_atomically
from .._types import Progress
from ..datasets.pairs import PairSet
from ..errors import InputError
from ..models.backbone import TAPS, TEXT_TAPS, Backbone, Features
from .views import VIEWS, view

_BLOCK = 64
"""Pictures computed between two records of progress."""


_TEXTS = 256
"""Texts computed at once, and between two records of progress."""


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/geocmer`, else `~/.cache/geocmer`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geocmer"


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """Frozen features of n pictures under several views, memory-mapped float16.

    For each view the pooled vectors (n, channels), then each tap (n, tokens, channels).
    """

    views: tuple[tuple[NDArray[np.float16], ...], ...]

    def batch(self, views: NDArray[np.int64], rows: NDArray[np.int64]) -> Features:
        """Features of the given rows, each under its own view, as float32 tensors on the CPU."""
        import torch

        def take(which: int) -> torch.Tensor:
            out = np.empty((len(rows), *self.views[0][which].shape[1:]), np.float16)
            for v in np.unique(views):
                (at,) = np.nonzero(views == v)
                at = at[np.argsort(rows[at])]  # the pages of a memory map are read forwards
                out[at] = self.views[v][which][rows[at]]
            return torch.from_numpy(out).float()

        return Features(take(0), tuple(take(1 + tap) for tap in range(len(self.views[0]) - 1)))


@dataclass(frozen=True, slots=True)
class LiveImages:
    """The same face as `ImageFeatures` without a cache: the tower runs again for every batch."""

    backbone: Backbone
    pairs: PairSet

    def batch(self, views: NDArray[np.int64], rows: NDArray[np.int64]) -> Features:
        """Features of the given rows, each under its own view, on the backbone's device.

        Raises:
            InputError: a picture cannot be read.
        """
        import torch

        pictures = [self.pairs.pairs[row].picture.pixels(self.backbone.size) for row in rows]
        turned = [view(picture[None], int(v)) for picture, v in zip(pictures, views, strict=True)]
        order, found = [], []
        for side in {picture.shape[1] for picture in turned}:  # pictures of one size at a time
            at = [i for i, picture in enumerate(turned) if picture.shape[1] == side]
            order += at
            found.append(self.backbone.image(np.concatenate([turned[i] for i in at])))
        back = np.argsort(order)
        pooled, *taps = (torch.cat(parts)[back] for parts in zip(*((f.pooled, *f.taps) for f in found), strict=True))
        return Features(pooled, tuple(taps))


def bytes_needed(backbone: Backbone, pictures: int) -> int:
    """Size on disk of the features of so many pictures (times their views), bytes."""
    probe = backbone.image(np.zeros((1, backbone.size, backbone.size, 3), np.uint8))
    return 2 * pictures * (probe.pooled.numel() + sum(tap.numel() for tap in probe.taps))


def image_features(
    backbone: Backbone, pairs: PairSet, folder: Path, views: int = VIEWS, progress: Progress | None = None
) -> ImageFeatures:
    """Compute, or find in `folder`, the features of every picture of `pairs` under the first `views` views.

    Raises:
        InputError: a picture cannot be read, or another run is computing the same.
    """
    home = folder / backbone.fingerprint / f"{_pictures_hash(pairs)}-{TAPS}"
    home.mkdir(parents=True, exist_ok=True)
    probe = backbone.image(np.zeros((1, backbone.size, backbone.size, 3), np.uint8))
    shapes = [tuple(probe.pooled.shape[1:]), *(tuple(tap.shape[1:]) for tap in probe.taps)]
    whole = all(_done(home, v) == len(pairs) for v in range(views))
    with nullcontext() if whole else _alone(home):
        return ImageFeatures(tuple(_one_view(backbone, pairs, home, v, views, shapes, progress) for v in range(views)))


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One run at a time fills a part of the cache; the lock goes with the process that holds it."""
    from filelock import FileLock, Timeout

    try:
        lock = FileLock(home / "filling.lock", timeout=0).acquire()
    except Timeout:
        raise InputError(
            f"another run is computing the same features, in {home}; start again when it has them, "
            "or give this one another --cache-dir"
        ) from None
    with lock:
        yield


def _done(home: Path, index: int) -> int:
    """Pictures whose features under a view are there."""
    file = home / f"view{index}.done"
    return int(file.read_text()) if file.exists() else 0


def _one_view(
    backbone: Backbone, pairs: PairSet, home: Path, index: int, views: int, shapes: list[tuple[int, ...]],
    progress: Progress | None,
) -> tuple[NDArray[np.float16], ...]:  # fmt: skip
    n = len(pairs)
    done = _done(home, index)
    arrays = []
    for i, shape in enumerate(shapes):
        path = home / f"view{index}-{i}.npy"
        if not path.exists():
            done = 0
        mode = "r+" if path.exists() else "w+"
        arrays.append(np.lib.format.open_memmap(path, mode=mode, dtype=np.float16, shape=(n, *shape)))
    for start in range(done, n, _BLOCK):
        pictures = [pair.picture.pixels(backbone.size) for pair in pairs.pairs[start : start + _BLOCK]]
        features = backbone.image(view(np.stack(pictures), index))
        for array, tensor in zip(arrays, (features.pooled, *features.taps), strict=True):
            array[start : start + len(pictures)] = tensor.cpu().numpy()
        if (start // _BLOCK) % 16 == 15 or start + _BLOCK >= n:
            for array in arrays:
                array.flush()
            write_atomically(home / f"view{index}.done", str(min(start + _BLOCK, n)))
        if progress:
            progress(index * n + min(start + _BLOCK, n), views * n)
    return tuple(np.load(home / f"view{index}-{i}.npy", mmap_mode="r") for i in range(len(shapes)))


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Frozen features of distinct texts: pooled vectors, and the words of all texts end to end, memory-mapped float16.

    `pooled` is (texts, channels); `words` (words of all texts, taps, channels); text i owns words
    `starts[i]:starts[i + 1]`. Equal texts are one row, so that their scores tie to the last bit.
    """

    index: Mapping[str, int]
    pooled: NDArray[np.float32]
    words: NDArray[np.float16]
    starts: NDArray[np.int64]

    def rows(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The row of each text."""
        return np.array([self.index[text] for text in texts], np.int64)

    def batch(self, rows: NDArray[np.int64]) -> Features:
        """Features of the given rows as float32 tensors on the CPU, padded to the longest, with the mask of words."""
        import torch

        begin = self.starts[rows]
        length = self.starts[rows + 1] - begin
        at = np.arange(max(1, length.max(initial=0)))
        mask = at < length[:, None]
        padded = np.zeros((*mask.shape, *self.words.shape[1:]), np.float16)
        padded[mask] = self.words[(begin[:, None] + at)[mask]]
        taps = torch.from_numpy(padded).float().unbind(2)
        return Features(torch.from_numpy(self.pooled[rows]), taps, torch.from_numpy(mask))


def text_features(
    backbone: Backbone, texts: Sequence[str], folder: Path, progress: Progress | None = None
) -> TextFeatures:
    """Compute, or find in `folder`, the features of texts; an interrupted call goes on after its last whole block.

    Raises:
        InputError: another run is computing the same.
    """
    unique = sorted(set(texts), key=lambda t: (len(t), t))  # batches of like length carry little padding
    key = hashlib.blake2b("\0".join(unique).encode(), digest_size=16).hexdigest()
    home = folder / backbone.fingerprint / f"{key}-{TEXT_TAPS}"
    home.mkdir(parents=True, exist_ok=True)
    parts = [home / f"{start}.npz" for start in range(0, len(unique), _TEXTS)]
    words = home / "words.npy"
    if not words.exists():
        with _alone(home):
            _fill_texts(backbone, unique, parts, words, progress)
    starts = np.cumsum([0, *np.concatenate([np.load(part)["lengths"] for part in parts])])
    pooled = np.concatenate([np.load(part)["pooled"] for part in parts])
    return TextFeatures({t: i for i, t in enumerate(unique)}, pooled, np.load(words, mmap_mode="r"), starts)


def _fill_texts(
    backbone: Backbone, texts: list[str], parts: list[Path], words: Path, progress: Progress | None
) -> None:
    """The features of texts, a part at a time, then the words of all parts in one file."""
    for number, part in enumerate(parts):
        if not part.exists():
            _save_texts(backbone, texts[number * _TEXTS : (number + 1) * _TEXTS], part)
        if progress:
            progress(min((number + 1) * _TEXTS, len(texts)), len(texts))
    with atomic_path(words) as draft:
        np.save(draft, np.concatenate([np.load(part)["words"] for part in parts]))


def _save_texts(backbone: Backbone, texts: list[str], path: Path) -> None:
    said = backbone.text(texts)
    arrays: dict[str, Any] = {"pooled": said.pooled.cpu().numpy(), "lengths": np.zeros(len(texts), np.int64)}
    if said.mask is None:
        arrays["words"] = np.empty((0, 0, 0), np.float16)
    else:
        mask = said.mask.cpu().numpy()
        arrays["lengths"] = mask.sum(1)
        arrays["words"] = np.stack([tap.cpu().numpy()[mask] for tap in said.taps], 1).astype(np.float16)
    with atomic_path(path) as draft:
        np.savez(draft, **arrays)


def _pictures_hash(pairs: PairSet) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for pair in pairs.pairs:
        digest.update(pair.picture.digest())
    return digest.hexdigest()
