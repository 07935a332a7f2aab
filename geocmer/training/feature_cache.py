"""The cache of frozen features: what the image tower makes of a captioned set, computed once and read by every epoch.

Nothing trainable lies upstream of the towers, so their output for an image under a fixed set of views never changes. It
is kept as float16 memory maps under a key of backbone and image contents; an interrupted run continues after its last
complete block.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .._files import cache_folder, check_free_space, naming_disk_errors, reserve, write_atomically
from .._types import Progress
from ..datasets.pairs import PairSet
from ..errors import InputError
from ..imagery.images import ImageSource
from ..models.backbone import TAPS, Backbone, Features
from .views import view

_BLOCK_IMAGES = 64
"""Images that are computed at once."""


def default_cache() -> Path:
    """Find the folder of the cache: `$XDG_CACHE_HOME/geocmer`, else `~/.cache/geocmer`.

    Raises:
        InputError: there is no home.
    """
    try:
        return cache_folder()
    except RuntimeError as error:
        raise InputError(f"no folder for the feature cache ({error}); give --cache-dir, or --no-cache") from error


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """Frozen features of n images under several views, memory-mapped float16.

    For each view the pooled vectors (n, channels), then each tap (n, tokens, channels).
    """

    views: tuple[tuple[NDArray[np.float16], ...], ...]

    def batch(self, views: NDArray[np.int64], rows: NDArray[np.int64]) -> Features:
        """Read the features of the given rows, each under its own view, as float32 tensors on the CPU."""
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
class UncachedImages:
    """Stands in for `ImageFeatures` without a cache: the tower runs again for every batch."""

    backbone: Backbone
    pairs: PairSet

    def batch(self, views: NDArray[np.int64], rows: NDArray[np.int64]) -> Features:
        """Compute the features of the given rows, each under its own view, on the backbone's device.

        Raises:
            InputError: a picture cannot be read.
        """
        images = [self.pairs.pairs[row].image for row in rows]
        viewed = [_view(image, self.backbone.size, int(v)) for image, v in zip(images, views, strict=True)]
        return self.backbone.image(np.stack(viewed))


@dataclass(frozen=True, slots=True)
class JoinedImages:
    """Features of several sets, one after the other, each kept for itself.

    Attributes:
        parts: features of each set, under as many views.
        sizes: images of each set.
    """

    parts: tuple[ImageFeatures | UncachedImages, ...]
    sizes: tuple[int, ...]

    def batch(self, views: NDArray[np.int64], rows: NDArray[np.int64]) -> Features:
        """Read the features of the given rows, each under its own view."""
        import torch

        starts = np.cumsum([0, *self.sizes])
        part_of = np.searchsorted(starts, rows, side="right") - 1
        order = np.argsort(part_of, kind="stable")
        found = []
        for part in np.unique(part_of):
            at = order[part_of[order] == part]
            found.append(self.parts[part].batch(views[at], rows[at] - starts[part]))
        inverse = torch.from_numpy(np.argsort(order))
        pooled, *taps = (torch.cat(rows)[inverse] for rows in zip(*((f.pooled, *f.taps) for f in found), strict=True))
        return Features(pooled, tuple(taps))


def _view(image: ImageSource, size: int, index: int) -> NDArray[np.uint8]:
    return view(image.pixels(size), index, image.digest() if index else b"")


def bytes_needed(backbone: Backbone, images: int) -> int:
    """Estimate the size on disk of the features of so many images (times their views), bytes."""
    probe = backbone.image(np.zeros((1, backbone.size, backbone.size, 3), np.uint8))
    return 2 * images * (probe.pooled.numel() + sum(tap.numel() for tap in probe.taps))


def image_features(
    backbone: Backbone, pairs: PairSet, folder: Path, views: int = 1, progress: Progress | None = None
) -> ImageFeatures:
    """Compute, or find in `folder`, the features of every image of `pairs` under the first `views` views.

    Raises:
        InputError: an image cannot be read, another run is computing the same, or the disk has no room.
    """
    home = folder / backbone.fingerprint / f"{_hash_images(pairs)}-{TAPS}"
    with naming_disk_errors(folder, "--cache-dir"):
        home.mkdir(parents=True, exist_ok=True)
    probe = backbone.image(np.zeros((1, backbone.size, backbone.size, 3), np.uint8))
    shapes = [tuple(probe.pooled.shape[1:]), *(tuple(tap.shape[1:]) for tap in probe.taps)]
    complete = all(_images_done(home, v) == len(pairs) for v in range(views))
    with nullcontext() if complete else exclusive(home), naming_disk_errors(folder, "--cache-dir"):
        _check_room(folder, home, len(pairs), views, shapes)
        return ImageFeatures(tuple(_one_view(backbone, pairs, home, v, views, shapes, progress) for v in range(views)))


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Let one run at a time fill a part of the cache; the lock ends with the process that holds it.

    Raises:
        InputError: another run fills it.
    """
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


def _check_room(folder: Path, home: Path, images: int, views: int, shapes: list[tuple[int, ...]]) -> None:
    """Refuse to begin where the features have no room; the blocks of files that are there count as theirs."""
    paths = [home / f"view{view}-{part}.npy" for view in range(views) for part in range(len(shapes))]
    needed = 2 * images * views * sum(math.prod(shape) for shape in shapes)
    reserved_bytes = sum(path.stat().st_blocks * 512 for path in paths if path.exists())
    check_free_space(folder, max(0, needed - reserved_bytes), "--cache-dir, fewer views or --no-cache")


def _images_done(home: Path, index: int) -> int:
    """Count the images whose features under a view are complete."""
    file = home / f"view{index}.done"
    return int(file.read_text()) if file.exists() else 0


def _one_view(
    backbone: Backbone, pairs: PairSet, home: Path, index: int, views: int, shapes: list[tuple[int, ...]],
    progress: Progress | None,
) -> tuple[NDArray[np.float16], ...]:  # fmt: skip
    n = len(pairs)
    done = _images_done(home, index)
    arrays = []
    for i, shape in enumerate(shapes):
        path = home / f"view{index}-{i}.npy"
        if not path.exists():
            done = 0
        mode = "r+" if path.exists() else "w+"
        arrays.append(np.lib.format.open_memmap(path, mode=mode, dtype=np.float16, shape=(n, *shape)))
        reserve(path)
    for start in range(done, n, _BLOCK_IMAGES):
        images = [_view(pair.image, backbone.size, index) for pair in pairs.pairs[start : start + _BLOCK_IMAGES]]
        features = backbone.image(np.stack(images))
        for array, tensor in zip(arrays, (features.pooled, *features.taps), strict=True):
            array[start : start + len(images)] = tensor.cpu().numpy()
        if (start // _BLOCK_IMAGES) % 16 == 15 or start + _BLOCK_IMAGES >= n:
            for array in arrays:
                array.flush()
            write_atomically(home / f"view{index}.done", str(min(start + _BLOCK_IMAGES, n)))
        if progress:
            progress(index * n + min(start + _BLOCK_IMAGES, n), views * n)
    return tuple(np.load(home / f"view{index}-{i}.npy", mmap_mode="r") for i in range(len(shapes)))


def _hash_images(pairs: PairSet) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for pair in pairs.pairs:
        digest.update(pair.image.digest())
    return digest.hexdigest()
