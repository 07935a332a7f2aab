"""Where the pixels of a captioned image come from: an image file, or a tile of a stored scene."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .image_reader import read_rgb


class ImageSource(Protocol):
    """A source of pixels that can be read again and again."""

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """Read the image as uint8 RGB (size, size, 3), resized where its own size differs.

        Raises:
            InputError: it cannot be read.
        """

    def digest(self) -> bytes:
        """Identify the image by 16 bytes: equal for equal contents, wherever they are stored."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image in a file of its own."""

    path: Path

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """See `ImageSource.pixels`."""
        return resize_to_square(read_rgb(self.path), size)

    def digest(self) -> bytes:
        """Hash the file. It is read once while it does not change: sets are checked, cached and resumed by it."""
        status = self.path.stat()
        return _digest(self.path, status.st_size, status.st_mtime_ns)


@cache
def _digest(path: Path, size: int, modified: int) -> bytes:  # noqa: ARG001 - a changed file is another key
    return hashlib.blake2b(path.read_bytes(), digest_size=16).digest()


def resize_to_square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize uint8 RGB (height, width, 3) to (size, size, 3) without cropping: all of the ground stays in view."""
    from PIL import Image

    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC))
