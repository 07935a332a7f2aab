"""Embed the tiles of a store again, reading their pixels from the scenes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._types import Progress
from ..store.store import Store, TileKey
from ..store.tile_images import TileImageReader
from .writer import BATCH_TILES, encode_tiles, encoder_info

if TYPE_CHECKING:
    from ..models.encoder import Encoder


def reembed(store: Store, encoder: Encoder, progress: Progress | None = None) -> int:
    """Embed every tile of a store that has no vector of `encoder`, then make this encoder the active one.

    Returns:
        The number of vectors made.

    Raises:
        InputError: after all others, of scenes that are unfinished, no longer where they were, or have changed.
    """
    with TileImageReader(store) as images:
        return store.reembed(encoder_info(encoder), _encode(images, encoder, store.count(), progress))


def embed_missing(store: Store, encoder: Encoder, scene_id: str) -> int:
    """Embed the tiles of one scene that have no vector of `encoder`, which is the store's.

    Returns:
        The number of vectors made.

    Raises:
        InputError: the scene is unfinished, no longer where it was, or has changed.
    """
    with TileImageReader(store) as images:
        return store.embed(encoder_info(encoder), _encode(images, encoder, store.count(), None), scene_id)


def _encode(
    images: TileImageReader, encoder: Encoder, total: int, progress: Progress | None
) -> Callable[[list[TileKey]], NDArray[np.float32]]:
    """Make the function that reads and embeds tiles of one scene, a batch at a time."""
    made = 0

    def encode(keys: list[TileKey]) -> NDArray[np.float32]:
        nonlocal made
        vectors = np.empty((len(keys), encoder.dim), np.float32)
        for start in range(0, len(keys), BATCH_TILES):
            part = keys[start : start + BATCH_TILES]
            windows = [images.window(key.scene_id, key.row, key.col) for key in part]
            pixels, valid = (np.stack(arrays) for arrays in zip(*windows, strict=True))
            vectors[start : start + len(part)] = encode_tiles(encoder, pixels, valid)
            made += len(part)
            if progress:
                progress(made, total)
        return vectors

    return encode
