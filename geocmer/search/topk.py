"""The best k of many float16 vectors, exactly: float32 finds which may be among them, float64 decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows
from .dot import BLOCK_ROWS


class TopK:
    """The best rows pushed so far.

    A score is the sum of the products of a row and the query in float64, taken row by row, so that equal vectors score
    equal to the last bit wherever they lie; ties are then broken by id. Summing a million rows like that would be slow:
    a float32 product comes first, and only rows that its rounding error may hide among the best are summed again.

    Attributes:
        query: (dim,) float64, of unit length.
        query_f32: the same in float32, for `dots_at`.
        k: how many are kept; None for all.
        max_error: of a product in float32.
        rowids: of the rows kept.
        scores: of the rows kept.
    """

    def __init__(self, query: NDArray[np.float64], k: int | None, min_score: float | None) -> None:
        """Start with nothing.

        Args:
            query: (dim,) of unit length.
            k: how many to keep; None for all.
            min_score: the least score kept.
        """
        self.query = query
        self.query_f32 = query.astype(np.float32)
        self.k = k
        self._min_score = -np.inf if min_score is None else min_score
        self.max_error = float_error(query)
        self.clear()

    @property
    def keeps_all(self) -> bool:
        """Whether everything is kept that reaches the least score."""
        return self.k is None

    def clear(self) -> None:
        """Forget what was pushed."""
        self._threshold = self._min_score
        self.rowids = np.empty(0, np.uint64)
        self.scores = np.empty(0, np.float64)
        self._ids = np.empty(0, "S32")

    def push_scored(
        self,
        products: NDArray[np.float32],
        vectors: Callable[[NDArray[np.intp]], NDArray[np.float16]],
        rowids: Callable[[NDArray[np.intp]], NDArray[np.uint64]],
        ids: Callable[[NDArray[np.intp]], NDArray[np.bytes_]],
        offsets: NDArray[np.float64] | None = None,
    ) -> None:
        """Keep the best of rows whose products with `query_f32` are known; all else is read only where needed.

        Args:
            products: (n,) float32, from `dots_at`.
            vectors: gives the vectors of the rows with these indices.
            rowids: gives what to remember them by.
            ids: gives their ids.
            offsets: (n,) what is added to each row's product.
        """
        scores_f32: NDArray[np.floating[Any]] = products
        if offsets is not None:
            scores_f32 = products + offsets  # in float64, so that no rounding error is added
        threshold = self._threshold
        if self.k is not None and len(scores_f32) > self.k:
            kth = float(np.partition(scores_f32, -self.k)[-self.k])
            threshold = max(threshold, kth - self.max_error)
        rows = np.flatnonzero(scores_f32 >= threshold - self.max_error)
        scores = np.empty(len(rows))
        for start in range(0, len(rows), BLOCK_ROWS):  # widened a few megabytes at a time: all may be candidates
            block = slice(start, start + BLOCK_ROWS)
            scores[block] = (vectors(rows[block]).astype(np.float64) * self.query).sum(axis=1)
        if offsets is not None:
            scores += offsets[rows]
        rows, scores = rows[scores >= self._threshold], scores[scores >= self._threshold]
        self.push_exact(scores, rowids(rows), ids(rows))

    def push_exact(self, scores: NDArray[np.float64], rowids: NDArray[np.uint64], ids: NDArray[np.bytes_]) -> None:
        """Keep the best of rows, (n,) each, whose scores are known, summed in float64 row by row."""
        kept = scores >= self._threshold
        self.rowids = np.concatenate([self.rowids, rowids[kept]])
        self.scores = np.concatenate([self.scores, scores[kept]])
        self._ids = np.concatenate([self._ids, ids[kept]])
        if self.k is not None and kept.any():
            self._sort()

    def ranked(self) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
        """Return row ids and scores, (n,) each, best first."""
        self._sort()
        return self.rowids, self.scores

    def _sort(self) -> None:
        order = np.lexsort((self._ids, -self.scores))[: self.k]
        self.rowids, self.scores, self._ids = self.rowids[order], self.scores[order], self._ids[order]
        if len(order) == self.k:
            self._threshold = float(self.scores[-1])


class TopKOfEach:
    """The best rows of each of many queries: what a `TopK` of each would keep.

    Attributes:
        queries: (c, dim) float64, of unit length.
        k: how many are kept of each; None for all.
        max_errors: (c,) of products in float32.
        owners: (n,) the queries of the rows that are kept, ascending.
        scores: (n,) of the rows, those of each query best first.
        rowids: (n,) of the rows.
    """

    def __init__(self, queries: Float64s, k: int | None, min_score: float | None) -> None:
        """Start with nothing; see `TopK`."""
        self.queries, self.k = queries, k
        self.max_errors = np.array([float_error(query) for query in queries])
        self._thresholds = np.full(len(queries), -np.inf if min_score is None else min_score)
        self.owners, self.scores = np.empty(0, np.intp), np.empty(0)
        self.rowids, self._ids = np.empty(0, np.uint64), np.empty(0, "S32")

    @property
    def candidate_floors(self) -> Float64s:
        """The least products in float32, (c,), with which a row may still be kept."""
        return self._thresholds - self.max_errors

    def push_exact(self, owners: Rows, scores: Float64s, rowids: NDArray[np.uint64], ids: NDArray[np.bytes_]) -> None:
        """Keep the best of rows, (n,) each, whose queries and scores are known, summed in float64 row by row."""
        kept = scores >= self._thresholds[owners]
        owners, scores = np.concatenate([self.owners, owners[kept]]), np.concatenate([self.scores, scores[kept]])
        rowids, ids = np.concatenate([self.rowids, rowids[kept]]), np.concatenate([self._ids, ids[kept]])
        order = np.lexsort((-scores, owners))
        equal = (np.diff(owners[order]) == 0) & (np.diff(scores[order]) == 0)
        if equal.any():  # comparing ids is slow, and rarely due
            order = np.lexsort((ids, -scores, owners))
        place = np.arange(len(order)) - np.searchsorted(owners[order], owners[order])
        if self.k is not None:
            last = order[place == self.k - 1]
            self._thresholds[owners[last]] = scores[last]
            order = order[place < self.k]
        self.owners, self.scores, self.rowids, self._ids = owners[order], scores[order], rowids[order], ids[order]

    @property
    def edges(self) -> Rows:
        """Where the rows of each query begin, and those of the last end, (c + 1,)."""
        return np.searchsorted(self.owners, np.arange(len(self.queries) + 1))


def float_error(query: Float64s) -> float:
    """Bound how much a product of unit vectors with a query (dim,) may be off in float32."""
    # A sum of n products is off by at most n * 2^-24 (Higham 2002, section 3.1); the 2 is for rounding the query, the
    # 2 % for vectors that are a little longer than 1. The second term is what is lost if some library has told the
    # processor to flush subnormal numbers to zero.
    return 1.02 * (len(query) + 2) * 2.0**-24 + float(np.abs(query).sum()) * 2.0**-14
