"""Making the index for approximate search, and finding the least effort that finds nearly everything."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreError
from ..store.store import Store
from .ivf import KEY, WORTH, Ivf
from .vector_search import search

RECALL = 0.95
"""What is aimed for."""
K = 10
EFFORTS = ((8, 10), (16, 20), (32, 50), (64, 100), (128, 200), (256, 500), (4096, 1000))
"""Partitions to look into, and candidates for each hit, from little to much."""


def index(store: Store, queries: NDArray[np.floating[Any]]) -> Ivf:
    """Make the index of a store's vectors, or bring it up to date, and measure it.

    Args:
        store: of at least `ivf.WORTH` tiles.
        queries: (n, dim) unit vectors as they will be asked, that is of texts: tiles as queries would flatter the
            index, which was made to fit them.

    Returns:
        The least effort that reaches `RECALL`, or else the greatest; its recall is what it is.

    Raises:
        StoreError: the store has no vectors yet, or too few tiles to need an index.
    """
    store.snapshot().require_encoder()
    tiles = store.count()
    if tiles < WORTH:
        raise StoreError(f"the store {store.path} has {tiles} tiles; below {WORTH} an exact search needs no index")
    column = store.index_vectors()
    truth = [set(search(store, query, k=K).rowids.tolist()) for query in queries]
    for probes, candidates in EFFORTS:
        tried = Ivf(column, probes, candidates, 0.0, len(queries))
        found = [
            len(best & set(search(store, query, k=K, index=tried).rowids.tolist())) / len(best)
            for query, best in zip(queries, truth, strict=True)
        ]
        tried = Ivf(column, probes, candidates, float(np.mean(found)), len(queries))
        if tried.recall >= RECALL:
            break
    store.set_metadata(KEY, tried.to_json())
    return tried
