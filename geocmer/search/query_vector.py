"""The query as one vector: texts, pictures and tiles averaged, examples of hits that were right or wrong.

    q = mean(targets) + 0.75 mean(more) - 0.25 mean(less) - 0.5 mean(minus)

All vectors have unit length, and so has the result. It is Rocchio's formula (1971) with the weights of Salton and
Buckley (1990) for examples; the weight of `minus` is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .._files import is_file
from ..errors import InputError
from ..imagery.ids import MIN_ID_DIGITS, is_id_start
from ..imagery.images import ImageFile
from ..store.vectors import to_numpy

if TYPE_CHECKING:
    from ..models.encoder import Encoder
    from ..models.text_encoder import TextEncoder
    from ..store.store import Store

MORE_WEIGHT, LESS_WEIGHT, MINUS_WEIGHT = 0.75, 0.25, 0.5


def build_query(
    store: Store,
    encoder: TextEncoder,
    texts: NDArray[np.floating[Any]],
    *,
    like: Sequence[str] = (),
    minus: NDArray[np.floating[Any]] | None = None,
    more: Sequence[str] = (),
    less: Sequence[str] = (),
) -> NDArray[np.float64]:
    """Encode a question in words, pictures and tiles as one unit vector (dim,).

    Args:
        store: where the tiles are; `encoder` is the one that made its vectors.
        encoder: for pictures.
        texts: vectors (n, dim) of what to look for in words; may be empty.
        like: image files or ids of tiles, averaged with the texts.
        minus: vectors of the words to keep away from, (n, dim).
        more: ids of tiles, see `tile_vectors`.
        less: ids of tiles.

    Raises:
        InputError: a file or an id cannot be used, or nothing is asked for.
    """
    files = [Path(name) for name in like if is_file(name)]
    tiles = [name for name in like if not is_file(name)]
    targets: list[NDArray[np.floating[Any]]] = [np.empty((0, encoder.dim)), texts.astype(np.float64)]
    if files:
        whole = cast("Encoder", encoder)  # who asks with pictures loads the image tower
        size = whole.backbone.size
        targets.append(whole.encode_images(np.stack([ImageFile(file).pixels(size) for file in files])))
    if tiles:
        targets.append(tile_vectors(store, tiles))
    return combine_vectors(
        np.concatenate(targets),
        more=tile_vectors(store, more) if more else None,
        less=tile_vectors(store, less) if less else None,
        minus=minus,
    )


def combine_vectors(
    targets: NDArray[np.floating[Any]],
    *,
    more: NDArray[np.floating[Any]] | None = None,
    less: NDArray[np.floating[Any]] | None = None,
    minus: NDArray[np.floating[Any]] | None = None,
) -> NDArray[np.float64]:
    """Combine the parts of a query into the unit vector (dim,) to search with.

    Args:
        targets: (n, dim) unit vectors of texts and pictures; may be empty if there is `more`.
        more: (n, dim) of tiles that show what is meant.
        less: (n, dim) of tiles that do not.
        minus: (n, dim) of texts to keep away from.

    Raises:
        InputError: nothing is asked for, or what is subtracted leaves nothing.
    """
    if not len(targets) and (more is None or not len(more)):
        raise InputError("nothing is asked for; give a text, --like or --more")
    total = np.zeros(targets.shape[1])
    for vectors, weight in ((targets, 1.0), (more, MORE_WEIGHT), (less, -LESS_WEIGHT), (minus, -MINUS_WEIGHT)):
        if vectors is not None and len(vectors):
            total += weight * vectors.astype(np.float64).mean(axis=0)
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise InputError("what is subtracted leaves nothing to look for; ask with another text")
    return total / length


def tile_vectors(store: Store, ids: Sequence[str]) -> NDArray[np.float64]:
    """Read the unit vectors (n, dim) of stored tiles.

    Args:
        store: where they are.
        ids: their ids, or beginnings of at least 6 hex digits that only one id has.

    Raises:
        InputError: an id is unknown, means several tiles, or its tile has no vector yet.
        StoreError: the store has no vectors yet.
    """
    snapshot = store.snapshot()
    info = snapshot.require_encoder()
    column = info.column
    vectors = np.empty((len(ids), info.dim))
    for position, name in enumerate(ids):
        start = name.lower()
        if not is_id_start(start):
            raise InputError(
                f"{name!r} is neither a file nor a tile's id (32 hex digits, or the first {MIN_ID_DIGITS} and more)"
            )
        batches = list(snapshot.scan([column], f"id LIKE '{start}%'"))  # hex digits alone: nothing to quote
        found = [to_numpy(batch[column]) for batch in batches if batch.num_rows]
        count = sum(len(embedded) for _, embedded in found)
        if count != 1:
            many = (
                f"means {count} tiles; give more digits"
                if count
                else "is not in the store; see `geocmer search --json`"
            )
            raise InputError(f"tile {name!r} {many}")
        if not found[0][1][0]:
            raise InputError(f"tile {name!r} has no vector yet; run `geocmer embed --store {store.path}`")
        vector = found[0][0][0].astype(np.float64)
        vectors[position] = vector / np.linalg.norm(vector)
    return vectors
