"""Models that are known by name alone: their vectors were imported, and geocmer cannot make more of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError

PREFIX = "imported:"
"""Of the model that a store records, before the name that the user gave."""


def imported_fingerprint(name: str, dim: int) -> str:
    """Identify a model that is known by its name and the length of its vectors, 32 hex digits."""
    return hashlib.blake2b(f"{PREFIX}{name} {dim}".encode(), digest_size=16).hexdigest()


def is_imported(model: str) -> bool:
    """Tell whether a store's model is known by name alone."""
    return model.startswith(PREFIX)


def refuse_imported(model: str) -> None:
    """Refuse to load a model that is known by name alone.

    Raises:
        ModelError: it is.
    """
    if is_imported(model):
        raise ModelError(
            f"the vectors were imported from {model.removeprefix(PREFIX)}, which cannot read words or pictures here; "
            "search by tiles: --like TILE_ID, --more TILE_ID, --less TILE_ID"
        )


class ImportedEncoder:
    """Stands where an encoder does while a question is of tiles alone; every text is refused.

    Args:
        model: as the store records it.
        fingerprint: as the store records it.
        dim: length of a vector.
    """

    def __init__(self, model: str, fingerprint: str, dim: int) -> None:
        self.spec, self.fingerprint, self.dim, self.scale = model, fingerprint, dim, 1.0

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Refuse texts.

        Raises:
            ModelError: always, if there is a text.
        """
        if texts:
            refuse_imported(self.spec)
        return np.empty((0, self.dim), np.float32)
