"""Many query vectors -> the nearest tiles of each, in one pass over the vectors, with the answers of one search each.

A block of vectors is widened once and multiplied with all queries as matrices. The products are float32, as good as
those of a single search, and only find who may be among the best; `TopK` decides by the same sums in float64, so that
the scores are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..store.filter import EVERY_TILE, Filter
from ..store.snapshot import Snapshot
from ..store.store import Store
from ..store.tile_source import TileBatch, TileSource, choose_source
from .dot import cross_dots
from .nms import first_limit
from .probability import Likelihood
from .results import Answer, Plan
from .topk import TopK
from .vector_search import answer_of, check_k, rank_tiles, ranking, unit_query

BLOCK_ROWS = 4096
"""Vectors multiplied at once with all queries of a group: 6 MB at 384 numbers."""
GROUP_QUERIES = 1024
"""Queries multiplied at once: their products with a block are 16 MB."""


def nearest_tiles_of_each(
    store: Store,
    vectors: Sequence[NDArray[np.floating[Any]]],
    likelihoods: Sequence[Likelihood | None] | None = None,
    *,
    filter: Filter = EVERY_TILE,
    k: int = 10,
    min_score: float | None = None,
    keep: Literal["best"] | None = None,
) -> Iterator[Answer]:
    """Find the `k` tiles nearest to each of many vectors, in their order; see `nearest_tiles`, also for the arguments.

    The pass over the vectors is made before the first answer. Memory is flat: a block of vectors and its products, and
    the best few of each query.

    Raises:
        StoreError: the store has no vectors yet.
        InputError: as `nearest_tiles`.
    """
    if not vectors:
        return
    snapshot = store.snapshot()
    info = snapshot.require_encoder()
    queries = [unit_query(vector, info) for vector in vectors]
    limit = first_limit(check_k(k), keep)
    source = choose_source(snapshot, filter)
    topks = [TopK(query, limit, min_score) for query in queries]
    plan = _rank_all(source, snapshot, filter, topks)
    for topk, vector, likelihood in zip(topks, vectors, likelihoods or [None] * len(vectors), strict=True):

        def rank(wanted: int | None, found: TopK = topk) -> tuple[NDArray[np.uint64], Answer]:
            if wanted == limit:
                return ranking(found, plan, snapshot)
            more = TopK(found.query, wanted, min_score)  # as too many of the first ones show the same places
            return ranking(more, rank_tiles(source, snapshot, filter, more), snapshot)

        yield replace(answer_of(store, snapshot, filter, rank, k, keep, likelihood), vector=vector)


def _rank_all(source: TileSource, snapshot: Snapshot, filter: Filter, topks: Sequence[TopK]) -> Plan:
    """Push the tiles of a source that pass a filter to all of several rankings."""
    scanned = matched = unembedded = 0
    queries = np.array([topk.query for topk in topks])
    for batch in source.batches(filter):
        scanned += batch.read
        matched += len(batch.positions)
        unembedded += batch.unembedded
        _push_batch(batch, queries, topks)
    return Plan(source.method, True, snapshot.count(), scanned, matched, unembedded)


def _push_batch(batch: TileBatch, queries: Float64s, topks: Sequence[TopK]) -> None:
    """Find the candidates of all rankings block by block, and settle them ever more rarely as thresholds rise."""
    queries_f32 = queries.astype(np.float32)
    floors = np.array([topk.candidate_floor for topk in topks])
    waiting: list[tuple[Rows, Rows]] = []
    seen, due = 0, BLOCK_ROWS
    for piece in batch.pieces():
        for start in range(piece.start, piece.stop, BLOCK_ROWS):
            rows = np.arange(start, min(start + BLOCK_ROWS, piece.stop))
            vectors = batch.vectors(rows)
            for first in range(0, len(topks), GROUP_QUERIES):
                group = slice(first, first + GROUP_QUERIES)
                products = cross_dots(vectors, queries_f32[group])
                _raise_open_floors(products, floors[group], topks[group])
                # In float32, rounded down: beside float64 all products would be widened.
                least = np.nextafter(floors[group].astype(np.float32), np.float32(-np.inf))
                who, which = np.divmod(np.flatnonzero(products >= least[:, None]), products.shape[1])
                waiting.append((who + first, which + start))
            seen += len(rows)
            if seen >= due:
                _settle(batch, queries, topks, waiting, floors)
                due = 2 * seen
    _settle(batch, queries, topks, waiting, floors)


def _raise_open_floors(products: NDArray[np.float32], floors: Float64s, topks: Sequence[TopK]) -> None:
    """Where a ranking is not full yet, the block itself tells what its k-th best is at least."""
    k = topks[0].k if topks else None
    if k is None or products.shape[1] <= k:
        return
    for query, topk in enumerate(topks):
        if len(topk.rowids) < k:
            kth = float(np.partition(products[query], -k)[-k])
            floors[query] = max(floors[query], kth - 2 * topk.max_error)


def _settle(
    batch: TileBatch, queries: Float64s, topks: Sequence[TopK], waiting: list[tuple[Rows, Rows]], floors: Float64s
) -> None:
    """Score candidates as a single search does, and let the rankings keep the best of them."""
    if not any(len(some) for some, _ in waiting):
        waiting.clear()
        return
    who, rows = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
    waiting.clear()
    order = np.argsort(who, kind="stable")
    who, rows = who[order], rows[order]
    unique, at = np.unique(rows, return_inverse=True)
    rowids, ids = batch.rowids(unique), batch.ids(unique)
    scores = np.empty(len(rows))
    for start in range(0, len(rows), BLOCK_ROWS):
        some = slice(start, start + BLOCK_ROWS)
        scores[some] = (batch.vectors(rows[some]).astype(np.float64) * queries[who[some]]).sum(axis=1)
    asked, first = np.unique(who, return_index=True)
    for query, begin, end in zip(asked.tolist(), first.tolist(), [*first[1:].tolist(), len(who)], strict=True):
        topk, found = topks[query], at[begin:end]
        topk.push_exact(scores[begin:end], rowids[found], ids[found])
        floors[query] = max(floors[query], topk.candidate_floor)
