"""Building the index for approximate search, and finding the least effort that finds nearly everything."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreError
from ..store.store import Store
from .ivf import INDEX_MIN_TILES, METADATA_KEY, IvfIndex
from .vector_search import nearest_tiles

TARGET_RECALL = 0.95
"""Share of the true `MEASURED_HITS` best that is to be found."""
MEASURED_HITS = 10
EFFORTS = ((8, 10), (16, 20), (32, 50), (64, 100), (128, 200), (256, 500), (4096, 1000))
"""Partitions to look into, and candidates for each hit, from little to much."""


def build_index(store: Store, queries: NDArray[np.floating[Any]]) -> IvfIndex:
    """Build the index of a store's vectors, or bring it up to date, and measure it.

    Args:
        store: of at least `INDEX_MIN_TILES` tiles.
        queries: (n, dim) unit vectors as they will be asked, that is of texts: tiles as queries would flatter the
            index, which was made to fit them.

    Returns:
        The least effort that reaches `TARGET_RECALL`, or else the greatest; its recall is what it is.

    Raises:
        StoreError: the store has no vectors yet, or too few tiles to need an index.
    """
    store.snapshot().require_encoder()
    tiles = store.count()
    if tiles < INDEX_MIN_TILES:
        raise StoreError(
            f"the store {store.path} has {tiles} tiles; below {INDEX_MIN_TILES} an exact search needs no index"
        )
    column = store.index_vectors()
    truth = [set(nearest_tiles(store, query, k=MEASURED_HITS).rowids.tolist()) for query in queries]
    for probes, candidates in EFFORTS:
        tried = IvfIndex(column, probes, candidates, 0.0, len(queries))
        recalls = [
            len(best & set(nearest_tiles(store, query, k=MEASURED_HITS, index=tried).rowids.tolist())) / len(best)
            for query, best in zip(queries, truth, strict=True)
        ]
        tried = IvfIndex(column, probes, candidates, float(np.mean(recalls)), len(queries))
        if tried.recall >= TARGET_RECALL:
            break
    store.set_metadata(METADATA_KEY, tried.to_json())
    return tried
