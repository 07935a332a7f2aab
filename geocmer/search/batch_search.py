"""Many query vectors -> the nearest tiles of each, in one pass over the vectors, with the answers of one search each.

A block of vectors is multiplied with all queries as matrices, in float32, or, where processors do that quicker and it
pays, in 8-bit numbers first (`int8_candidates`). The products only find who may be among the best; `TopK` decides by
the sums in float64 of a single search, so that the scores are equal to the last bit.
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
from .int8_candidates import Int8Queries, is_faster
from .nms import first_limit
from .probability import Likelihood
from .results import Answer, Plan
from .topk import TopK
from .vector_search import answer_of, check_k, rank_tiles, ranking, unit_query

BLOCK_ROWS = 4096
"""Vectors multiplied at once with all queries of a group: 6 MB at 384 numbers."""
GROUP_QUERIES = 1024
"""Queries multiplied at once: their products with a block are 16 MB."""
SPREAD = 4.0
"""More than products differ: numbers of queries, so far apart, and products make one key to sort by."""


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

        def rank(count: int | None, found: TopK = topk) -> tuple[NDArray[np.uint64], Answer]:
            if count == limit:
                return ranking(found, plan, snapshot)
            more = TopK(found.query, count, min_score)  # as too many of the first ones show the same places
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
    """Find the candidates of all rankings block by block, and let `TopK` decide between them at the end."""
    found = _Candidates(queries, topks, quickly=is_faster(len(batch.positions) * len(topks)))
    for piece in batch.pieces():
        for start in range(piece.start, piece.stop, BLOCK_ROWS):
            found.add(_vectors(batch, start, min(start + BLOCK_ROWS, piece.stop)), start)
    who, rows = found.candidates()
    unique, at = np.unique(rows, return_inverse=True)
    rowids, ids = batch.rowids(unique), batch.ids(unique)
    scores = np.empty(len(rows))
    for start in range(0, len(rows), BLOCK_ROWS):
        some = slice(start, start + BLOCK_ROWS)
        scores[some] = (batch.vectors(rows[some]).astype(np.float64) * queries[who[some]]).sum(axis=1)
    edges = np.searchsorted(who, np.arange(len(topks) + 1)).tolist()
    for topk, begin, end in zip(topks, edges[:-1], edges[1:], strict=True):
        if begin < end:
            topk.push_exact(scores[begin:end], rowids[at[begin:end]], ids[at[begin:end]])


def _vectors(batch: TileBatch, start: int, stop: int) -> NDArray[np.float16]:
    """Return the vectors of these rows of a batch, without copying those that lie together."""
    vectors, rows = batch.locate(slice(start, stop))
    if rows is None:
        return vectors
    together = rows[-1] - rows[0] == stop - start - 1
    return vectors[rows[0] : rows[-1] + 1] if together else vectors[rows]


class _Candidates:
    """The vectors that may be among the best of each query, with their products in float32."""

    def __init__(self, queries: Float64s, topks: Sequence[TopK], *, quickly: bool) -> None:
        """Start with none: what may be better than the rankings so far is wanted."""
        self._k = topks[0].k
        self._floors = np.array([topk.candidate_floor for topk in topks])
        self._errors = np.array([topk.max_error for topk in topks])
        self._queries = queries.astype(np.float32)
        self._groups = [slice(first, first + GROUP_QUERIES) for first in range(0, len(topks), GROUP_QUERIES)]
        self._int8 = [Int8Queries(queries[group]) if quickly else None for group in self._groups]
        self._found = [(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32))]
        self._seen, self._due = 0, BLOCK_ROWS

    def add(self, vectors: NDArray[np.float16], start: int) -> None:
        """Look for them among vectors (n, dim), the first of which has this number."""
        for group, int8 in zip(self._groups, self._int8, strict=True):
            floors = self._floors[group]
            if int8 is not None and np.isfinite(floors).all():
                who, rows, products = int8.candidates(vectors, floors)
            else:
                who, rows, products = self._in_float32(vectors, group)
            self._found.append((who + group.start, rows + start, products))
        self._seen += len(vectors)
        if self._seen >= self._due:  # ever more rarely, as the floors rise ever more slowly
            self._raise_floors()
            self._due = 2 * self._seen

    def candidates(self) -> tuple[Rows, Rows]:
        """Return queries and rows, by their numbers, in the order of the queries."""
        self._raise_floors()
        who, rows, _ = self._found[0]
        return who, rows

    def _in_float32(self, vectors: NDArray[np.float16], group: slice) -> tuple[Rows, Rows, NDArray[np.float32]]:
        products, floors = cross_dots(vectors, self._queries[group]), self._floors[group]
        if self._k is not None and len(vectors) > self._k:  # the block itself tells what the k-th best is at least
            for query in np.flatnonzero(np.isneginf(floors)):
                floors[query] = np.partition(products[query], -self._k)[-self._k] - 2 * self._errors[group][query]
        # In float32, rounded down: beside float64 all products would be widened.
        least = np.nextafter(floors.astype(np.float32), np.float32(-np.inf))
        who, rows = np.divmod(np.flatnonzero(products >= least[:, None]), products.shape[1])
        return who, rows, products[who, rows]

    def _raise_floors(self) -> None:
        """Forget what is certainly not among the k best: a product, and that of the k-th, may each be an error off."""
        who, rows, products = (np.concatenate(parts) for parts in zip(*self._found, strict=True))
        order = np.argsort(who * SPREAD - products)
        who, rows, products = who[order], rows[order], products[order]
        if self._k is not None:
            asked, first, count = np.unique(who, return_index=True, return_counts=True)
            full = count >= self._k
            kth = products[first[full] + self._k - 1] - 2 * self._errors[asked[full]]
            self._floors[asked[full]] = np.maximum(self._floors[asked[full]], kth)
        kept = products >= self._floors[who]
        self._found = [(who[kept], rows[kept], products[kept])]
