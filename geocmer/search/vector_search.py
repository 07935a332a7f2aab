"""A query vector and conditions -> the nearest tiles, exactly: filter first, then rank."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..store.filter import EVERY_TILE, Filter
from ..store.mmap_cache import MmapCache, cache_for
from ..store.scan import Source, matches
from ..store.snapshot import Snapshot
from ..store.store import Store
from ..store.vectors import EncoderInfo, to_numpy
from .dot import dots
from .ivf import IvfIndex
from .nms import suppress_overlaps
from .results import HIT_COLUMNS, Answer, Hit, Plan, hit_from_record, pixel_reader
from .topk import TopK

if TYPE_CHECKING:
    import pyarrow as pa

NUMBA_MIN_ROWS = 16_384
"""With this many rows and more numba's product is faster than numpy's, and worth the import of numba."""
Offsets: TypeAlias = Mapping[str | None, float] | None
"""Category -> what is added to the score of its tiles."""


def nearest_tiles(
    store: Store,
    vector: NDArray[np.floating[Any]],
    *,
    filter: Filter = EVERY_TILE,
    k: int | None = 10,
    min_score: float | None = None,
    fingerprint: str | None = None,
    category_offsets: Offsets = None,
    keep: Literal["best", "newest"] | None = None,
    index: IvfIndex | None = None,
) -> Answer:
    """Find the `k` tiles nearest to a vector among those that meet every condition.

    The answer equals brute force over all tiles and is never shorter than min(k, matching tiles). Ties go by id. The
    score of a tile is its cosine with the vector plus the offset of its category.

    Args:
        store: where to look.
        vector: (dim,) of the store's encoder; only its direction counts.
        filter: conditions that every hit meets.
        k: how many at most; None for all.
        min_score: the least score of a hit.
        fingerprint: of the encoder that made `vector`; refused if it is not the store's.
        category_offsets: category -> what is added to the score of its tiles, a soft prior (`category_prior`); None
            stands for tiles without a category, and a category that is not named gets 0.
        keep: one hit for each place, the best or the newest of those that overlap (`nms.nms_mask`; `newest` ranks
            every match first). None keeps all.
        index: takes candidates from this index, so that a hit may be missing. None: exact.

    Raises:
        FingerprintError: `fingerprint` is not the store's.
        StoreError: the store has no vectors yet.
        InputError: `k` < 1, a vector of another length, zero or not finite, a condition on a category or class that no
            tile has, an offset that is not finite.
    """
    _require_finite(category_offsets or {})
    snapshot = store.snapshot()
    query, k = _unit_query(vector, snapshot.require_encoder(fingerprint)), _check_k(k)
    if index is not None and (k is None or keep == "newest"):
        raise InputError("an approximate search ends after k hits, the best first; give k, or search exactly")
    cache = None if index else cache_for(snapshot, filter)

    def rank(limit: int | None) -> tuple[NDArray[np.uint64], Answer]:
        topk = TopK(query, limit, min_score)
        if index is not None and limit is not None:
            plan = _rank_indexed(snapshot, filter, category_offsets, topk, index, limit)
        elif cache is not None:
            plan = _rank_cached(cache, filter, category_offsets, topk)
        else:
            plan = _rank_scanned(snapshot, filter, category_offsets, topk)
        rowids, scores = topk.ranked()
        return rowids, Answer(plan, snapshot, rowids, scores)

    ranked, kept, hidden = suppress_overlaps(snapshot, rank, k, keep)
    if not len(kept):
        snapshot.require_category(filter.category)
    plan = replace(ranked.plan, hidden=hidden)
    return Answer(plan, snapshot, ranked.rowids[kept], ranked.scores[kept], read_pixels=pixel_reader(store))


def _rank_indexed(snapshot: Snapshot, filter: Filter, offsets: Offsets, topk: TopK, index: IvfIndex, k: int) -> Plan:
    """Rank what an index proposes, and more of it while too few of that truly match."""
    limit = k * index.candidates
    exhaustive = filter != EVERY_TILE  # a narrow filter may leave nothing in a few partitions
    while True:
        source = index.source(snapshot, topk.query, limit, exhaustive)
        plan = _rank_scanned(snapshot, filter, offsets, topk, source)
        if plan.matched >= k or (exhaustive and plan.scanned < limit):
            method = f"IVF index, recall {index.recall:.2f} over {index.queries} queries"
            return replace(plan, method=method, exact=False)
        limit, exhaustive = limit * 4, True
        topk.clear()


def _rank_scanned(
    snapshot: Snapshot, filter: Filter, offsets: Offsets, topk: TopK, source: Source | None = None
) -> Plan:
    """Rank the rows that LanceDB lets through."""
    column = snapshot.encoder.column if snapshot.encoder else ""
    scanned = matched = unembedded = 0
    for read, batch in matches(snapshot, filter, ("id", column, *(("category",) if offsets else ())), source):
        vectors, embedded = to_numpy(batch[column])
        scanned += read
        matched += int(embedded.sum())
        unembedded += int((~embedded).sum())
        rows = batch
        if not embedded.all():
            vectors, rows = vectors[embedded], batch.filter(embedded)
        row_offsets = _row_offsets(rows["category"], offsets) if offsets else None
        topk.push(vectors, rows["_rowid"].to_numpy(), partial(_ids, rows["id"]), row_offsets)
    return Plan("LanceDB scan", True, snapshot.count(), scanned, matched, unembedded)


def _rank_cached(cache: MmapCache, filter: Filter, offsets: Offsets, topk: TopK) -> Plan:
    """Rank the rows of the memory-mapped cache."""
    matching, scanned = cache.select(filter)
    embedded = matching[cache.embedded[matching]]
    for rows in cache.pieces(embedded) if topk.keeps_all else [embedded]:
        _push_rows(cache, rows, offsets, topk)
    return Plan("memory-mapped cache", True, len(cache.ids), scanned, len(embedded), len(matching) - len(embedded))


def _push_rows(cache: MmapCache, rows: NDArray[np.intp], offsets: Offsets, topk: TopK) -> None:
    if len(rows) >= NUMBA_MIN_ROWS:
        from .dot_numba import row_dots

        products = row_dots(cache.vectors, rows, topk.query_f32)
    else:
        products = dots(cache.vectors[rows], topk.query_f32)
    row_offsets = None
    if offsets:
        row_offsets = np.array([offsets.get(name, 0.0) for name in cache.names])[cache.categories[rows]]
    topk.push_scored(
        products,
        lambda some: cache.vectors[rows[some]],
        lambda some: cache.rowids[rows[some]],
        lambda some: cache.ids[rows[some]],
        row_offsets,
    )


def iter_tiles(store: Store, filter: Filter = EVERY_TILE) -> Iterator[Hit]:
    """Yield every tile that passes a filter, embedded or not, unranked and in storage order, at flat memory.

    Raises:
        InputError: the filter names a category or a land-cover class that no tile has.
    """
    snapshot = store.snapshot()
    rank, read_pixels = 0, pixel_reader(store)
    for _, batch in matches(snapshot, filter, HIT_COLUMNS):
        for record in batch.to_pylist():
            rank += 1
            yield hit_from_record(record, rank, None, snapshot.uris, read_pixels)
    if not rank:
        snapshot.require_category(filter.category)


def _unit_query(vector: NDArray[np.floating[Any]], info: EncoderInfo) -> NDArray[np.float64]:
    """Bring the query to unit length."""
    if vector.shape != (info.dim,):
        raise InputError(f"a query of shape {vector.shape} does not fit {info.title}; it must have shape ({info.dim},)")
    query = vector.astype(np.float64)
    length = float(np.linalg.norm(query))
    if not 0 < length < np.inf:  # also refuses NaN
        raise InputError("the query vector is zero or not finite, so nothing is near it; ask with another text")
    return query / length


def _check_k(k: int | None) -> int | None:
    if k is not None and k < 1:
        raise InputError(f"k is {k}; ask for at least 1 hit")
    return k


def _require_finite(offsets: Mapping[str | None, float]) -> None:
    for category, offset in offsets.items():
        if not math.isfinite(offset):
            raise InputError(f"the offset of category {category!r} is {offset}; give a finite number")


def _row_offsets(categories: pa.Array, offsets: Mapping[str | None, float]) -> NDArray[np.float64]:
    """Look up the offset of each row's category, (n,)."""
    encoded = categories.dictionary_encode()
    values = np.array([offsets.get(name, 0.0) for name in (*encoded.dictionary.to_pylist(), None)])
    found: NDArray[np.float64] = values[encoded.indices.fill_null(len(values) - 1).to_numpy()]
    return found


def _ids(column: pa.Array, rows: NDArray[np.intp]) -> NDArray[np.bytes_]:
    return np.array(column.take(rows).to_pylist(), dtype="S32")
