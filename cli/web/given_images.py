"""Pictures that a person gave to look for what they show; they are kept while the server runs."""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path

from geocmer.errors import InputError

PREFIX = "image-"
"""Of their keys, which stand where ids of tiles do."""
MAX_BYTES = 50_000_000
SHOWN_PIXELS = 256


class GivenImages:
    """A folder of pictures, by key. The browser names only keys: no path of its reaches the disk."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._names: dict[str, str] = {}

    def keep(self, content: bytes, name: str) -> str:
        """Keep a picture, and return its key.

        Raises:
            InputError: it is no picture that can be read.
        """
        from geocmer.imagery.image_reader import IMAGE_DRIVERS, read_rgb

        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="geocmer-images-")
        key = PREFIX + hashlib.blake2b(content, digest_size=12).hexdigest()
        path = Path(self._folder.name) / key
        path.write_bytes(content)
        try:
            read_rgb(path, IMAGE_DRIVERS)
        except InputError as error:
            path.unlink()
            raise InputError(
                f"{Path(name).name[:80]} cannot be read as a picture; give a JPEG, PNG or GeoTIFF"
            ) from error
        self._names[key] = Path(name).name or "image"
        return key

    def path(self, key: str) -> Path:
        """Return the file of a picture.

        Raises:
            InputError: there is none of this key.
        """
        if self._folder is None or key not in self._names:
            raise InputError("this picture is no longer kept; give it again")
        return Path(self._folder.name) / key

    def name(self, key: str) -> str:
        """Return what a picture was called, or the key of any other thing."""
        return self._names.get(key, key)

    def shown(self, key: str) -> bytes:
        """Return a picture as a small JPEG.

        Raises:
            InputError: there is none of this key.
        """
        from PIL import Image

        from geocmer.imagery.image_reader import read_rgb

        image = Image.fromarray(read_rgb(self.path(key)))
        image.thumbnail((SHOWN_PIXELS, SHOWN_PIXELS))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()
