"""Embed the tiles of a store again, reading their pixels from the scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._types import Progress
from ..store.store import Store, TileKey
from ..store.tile_images import TileImageReader
from ..store.vectors import EncoderInfo

if TYPE_CHECKING:
    from ..models.encoder import Encoder
from .writer import BATCH_TILES


def encoder_info(encoder: Encoder) -> EncoderInfo:
    """Describe an encoder as a store records it."""
    return EncoderInfo(encoder.fingerprint, encoder.backbone.spec, encoder.adapter_name, encoder.dim)


def reembed(store: Store, encoder: Encoder, progress: Progress | None = None) -> int:
    """Embed every tile of a store that has no vector of `encoder`, then make this encoder the active one.

    Returns:
        The number of vectors made.

    Raises:
        InputError: a scene is no longer where it was, or has changed.
    """
    info = encoder_info(encoder)
    made, total = 0, store.count()

    def encode(keys: list[TileKey]) -> NDArray[np.float32]:
        nonlocal made
        vectors = np.empty((len(keys), encoder.dim), np.float32)
        for scene in dict.fromkeys(key.scene_id for key in keys):
            indices = [i for i, key in enumerate(keys) if key.scene_id == scene]
            for start in range(0, len(indices), BATCH_TILES):
                part = indices[start : start + BATCH_TILES]
                pixels = [images.pixels(scene, keys[i].row, keys[i].col) for i in part]
                vectors[part] = encoder.encode_images(np.stack(pixels))
                made += len(part)
                if progress:
                    progress(made, total)
        return vectors

    with TileImageReader(store.scenes()) as images:
        return store.reembed(info, encode)
