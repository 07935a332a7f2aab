"""New vectors for the tiles of a store, from the scenes they were cut from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._types import Progress
from ..store.store import Store, TileKey
from ..store.tile_images import Cutter
from ..store.vectors import EncoderInfo

if TYPE_CHECKING:
    from ..models.encoder import Encoder
from .writer import BATCH


def encoder_info(encoder: Encoder) -> EncoderInfo:
    """What a store keeps of an encoder."""
    return EncoderInfo(encoder.fingerprint, encoder.backbone.spec, encoder.adapter_name, encoder.dim)


def reembed(store: Store, encoder: Encoder, progress: Progress | None = None) -> int:
    """Give every tile of a store that lacks one a vector of `encoder`, reading the scenes again, and let these answer.

    Returns:
        How many vectors were made.

    Raises:
        InputError: a scene is no longer where it was, or has changed.
    """
    info = encoder_info(encoder)
    made, total = 0, store.count()

    def encode(keys: list[TileKey]) -> NDArray[np.float32]:
        nonlocal made
        vectors = np.empty((len(keys), encoder.dim), np.float32)
        for scene in dict.fromkeys(key.scene_id for key in keys):
            at = [i for i, key in enumerate(keys) if key.scene_id == scene]
            for start in range(0, len(at), BATCH):
                part = at[start : start + BATCH]
                pictures = [cutter.pixels(scene, keys[i].row, keys[i].col) for i in part]
                vectors[part] = encoder.encode_images(np.stack(pictures))
                made += len(part)
                if progress:
                    progress(made, total)
        return vectors

    with Cutter(store.scenes()) as cutter:
        return store.reembed(info, encode)
