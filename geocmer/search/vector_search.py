"""A vector and conditions -> the tiles that answer best, exactly: filter first, then rank."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..store.filter import EVERY_TILE, Filter
from ..store.mmap_cache import MmapCache, cache_for
from ..store.scan import Source, matches
from ..store.snapshot import Snapshot
from ..store.store import Store
from ..store.vectors import EncoderInfo, to_numpy
from .ivf import Ivf
from .nms import thin
from .results import DETAILS, Answer, Hit, Plan, hit_of
from .topk import Best, dots

if TYPE_CHECKING:
    import pyarrow as pa

MANY = 16_384
"""From here on the compiled product is faster than numpy's, and worth the import of numba."""


def search(
    store: Store,
    vector: NDArray[np.floating[Any]],
    *,
    filter: Filter = EVERY_TILE,
    k: int | None = 10,
    min_score: float | None = None,
    fingerprint: str | None = None,
    weights: Mapping[str | None, float] | None = None,
    places: Literal["best", "newest"] | None = None,
    index: Ivf | None = None,
) -> Answer:
    """The `k` tiles nearest to a vector among those that meet every condition.

    The answer equals brute force over all tiles and is never shorter than min(k, matching tiles). Ties go by id. The
    score of a tile is its cosine with the vector plus the weight of its category.

    Args:
        store: where to look.
        vector: (dim,) of the store's encoder; only its direction counts.
        filter: conditions that every hit meets.
        k: how many at most; None for all.
        min_score: the least score of a hit.
        fingerprint: of the encoder that made `vector`; refused if it is not the store's.
        weights: category -> what is added to the score of its tiles, a soft prior; None stands for tiles without a
            category, and a category that is not named gets 0.
        places: keep one hit for each place, the best or the newest of those that overlap (`places.distinct`; `newest`
            ranks every match first). None keeps all.
        index: ask this index for candidates, so that a hit may be missing. None: exact.

    Raises:
        FingerprintError: `fingerprint` is not the store's.
        StoreError: the store has no vectors yet.
        InputError: `k` < 1, a vector of another length, zero or not finite, a condition on a category or class that no
            tile has, a weight that is not finite.
    """
    _finite(weights or {})
    snapshot = store.snapshot()
    query, k = _direction(vector, snapshot.require_encoder(fingerprint)), _at_least_one(k)
    if index is not None and (k is None or places == "newest"):
        raise InputError("an approximate search ends after k hits, the best first; give k, or search exactly")
    cache = None if index else cache_for(snapshot, filter)

    def rank(most: int | None) -> tuple[NDArray[np.uint64], Answer]:
        best = Best(query, most, min_score)
        if index is not None and most is not None:
            plan = _rank_near(snapshot, filter, weights, best, index, most)
        else:
            plan = (
                _rank(snapshot, filter, weights, best) if cache is None else _rank_cache(cache, filter, weights, best)
            )
        rowids, scores = best.ranked()
        return rowids, Answer(plan, snapshot, rowids, scores)

    found, kept, hidden = thin(snapshot, rank, k, places)
    if not len(kept):
        snapshot.require_category(filter.category)
    return Answer(replace(found.plan, hidden=hidden), snapshot, found.rowids[kept], found.scores[kept])


def _rank_near(
    snapshot: Snapshot, filter: Filter, weights: Mapping[str | None, float] | None, best: Best, index: Ivf, k: int
) -> Plan:
    """Rank what an index proposes, and more of it while too few of that truly match."""
    limit, whole = k * index.candidates, filter != EVERY_TILE  # a narrow filter may leave nothing in a few partitions
    while True:
        plan = _rank(snapshot, filter, weights, best, index.source(snapshot, best.query, limit, whole))
        if plan.matched >= k or (whole and plan.scanned < limit):
            method = f"IVF index, recall {index.recall:.2f} over {index.queries} queries"
            return replace(plan, method=method, exact=False)
        limit, whole = limit * 4, True
        best.clear()


def _rank(
    snapshot: Snapshot,
    filter: Filter,
    weights: Mapping[str | None, float] | None,
    best: Best,
    source: Source | None = None,
) -> Plan:
    """Rank what LanceDB lets through."""
    column = snapshot.encoder.column if snapshot.encoder else ""
    scanned = matched = unembedded = 0
    for read, batch in matches(snapshot, filter, ("id", column, *(("category",) if weights else ())), source):
        vectors, embedded = to_numpy(batch[column])
        scanned += read
        matched += int(embedded.sum())
        unembedded += int((~embedded).sum())
        there = batch
        if not embedded.all():
            vectors, there = vectors[embedded], batch.filter(embedded)
        offsets = _offsets(there["category"], weights) if weights else None
        best.offer(vectors, there["_rowid"].to_numpy(), partial(_ids, there["id"]), offsets)
    return Plan("LanceDB scan", True, snapshot.count(), scanned, matched, unembedded)


def _rank_cache(cache: MmapCache, filter: Filter, weights: Mapping[str | None, float] | None, best: Best) -> Plan:
    """Rank what the memory-mapped cache holds."""
    found, scanned = cache.select(filter)
    embedded = found[cache.embedded[found]]
    for rows in cache.pieces(embedded) if best.keeps_all else [embedded]:
        _consider(cache, rows, weights, best)
    return Plan("memory-mapped cache", True, len(cache.ids), scanned, len(embedded), len(found) - len(embedded))


def _consider(cache: MmapCache, rows: NDArray[np.intp], weights: Mapping[str | None, float] | None, best: Best) -> None:
    if len(rows) >= MANY:
        from .dot_numba import products

        rough = products(cache.vectors, rows, best.rough)
    else:
        rough = dots(cache.vectors[rows], best.rough)
    offsets = None
    if weights:
        offsets = np.array([weights.get(name, 0.0) for name in cache.names])[cache.categories[rows]]
    best.consider(
        rough,
        lambda some: cache.vectors[rows[some]],
        lambda some: cache.rowids[rows[some]],
        lambda some: cache.ids[rows[some]],
        offsets,
    )


def iter_tiles(store: Store, filter: Filter = EVERY_TILE) -> Iterator[Hit]:
    """Yield every tile that passes a filter, embedded or not, unranked and in storage order, at flat memory.

    Raises:
        InputError: the filter names a category or a land-cover class that no tile has.
    """
    snapshot = store.snapshot()
    rank = 0
    for _, batch in matches(snapshot, filter, DETAILS):
        for record in batch.to_pylist():
            rank += 1
            yield hit_of(record, rank, None, snapshot.uris)
    if not rank:
        snapshot.require_category(filter.category)


def _direction(vector: NDArray[np.floating[Any]], info: EncoderInfo) -> NDArray[np.float64]:
    """The query as a unit vector."""
    if vector.shape != (info.dim,):
        raise InputError(f"a query of shape {vector.shape} does not fit {info.title}; it must have shape ({info.dim},)")
    query = vector.astype(np.float64)
    length = float(np.linalg.norm(query))
    if not 0 < length < np.inf:  # also refuses NaN
        raise InputError("the query vector is zero or not finite, so nothing is near it; ask with another text")
    return query / length


def _at_least_one(k: int | None) -> int | None:
    if k is not None and k < 1:
        raise InputError(f"k is {k}; ask for at least 1 hit")
    return k


def _finite(weights: Mapping[str | None, float]) -> None:
    for category, weight in weights.items():
        if not math.isfinite(weight):
            raise InputError(f"the weight of category {category!r} is {weight}; give a finite number")


def _offsets(categories: pa.Array, weights: Mapping[str | None, float]) -> NDArray[np.float64]:
    """The weight of each row's category."""
    encoded = categories.dictionary_encode()
    known = np.array([weights.get(name, 0.0) for name in (*encoded.dictionary.to_pylist(), None)])
    offsets: NDArray[np.float64] = known[encoded.indices.fill_null(len(known) - 1).to_numpy()]
    return offsets


def _ids(column: pa.Array, rows: NDArray[np.intp]) -> NDArray[np.bytes_]:
    return np.array(column.take(rows).to_pylist(), dtype="S32")
