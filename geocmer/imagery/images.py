"""Pictures: where the pixels of a captioned image come from, an image file or a tile of a stored scene."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


class Picture(Protocol):
    """A source of pixels that can be read again and again."""

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """The picture as uint8 RGB (size, size, 3), resized if it differs.

        Raises:
            InputError: it cannot be read.
        """

    def digest(self) -> bytes:
        """What makes it this picture, 16 bytes: equal for equal contents, wherever they lie."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A picture in a file of its own."""

    path: Path

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """See `Picture.pixels`."""
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(self.path) as picture:
                return fit(np.asarray(picture.convert("RGB")), size)
        except (OSError, UnidentifiedImageError) as error:
            raise InputError(
                f"{self.path} is not a readable image ({error}); remove it from the annotation file"
            ) from error

    def digest(self) -> bytes:
        """Hash of the file."""
        return hashlib.blake2b(self.path.read_bytes(), digest_size=16).digest()


def fit(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Uint8 RGB (height, width, 3) as (size, size, 3), squashed, not cropped: all of the ground stays in view."""
    from PIL import Image

    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC))
