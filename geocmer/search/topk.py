"""The best k of many float16 vectors, exactly: float32 finds who may be among them, float64 decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 1024
"""Vectors widened at once: about a megabyte, so that the second and third pass over them stay in the cache."""


class Best:
    """The best rows offered so far.

    A score is the sum of the products of a row and the query in float64, taken row by row, so that equal vectors score
    equal to the last bit wherever they lie; ties are then broken by id. Summing a million rows like that would be slow:
    a float32 product comes first, and only rows that its rounding error may hide among the best are summed again.
    """

    def __init__(self, query: NDArray[np.float64], k: int | None, min_score: float | None) -> None:
        """Start with nothing.

        Args:
            query: (dim,) of unit length.
            k: how many to keep; None for all.
            min_score: the least score kept.
        """
        self.query = query
        self.rough = query.astype(np.float32)
        self._k = k
        self._floor = -np.inf if min_score is None else min_score
        # A float32 sum of n products of unit vectors is off by at most n * 2^-24 (Higham 2002, section 3.1); the 2 is
        # for rounding the query, the 2 % for vectors that are a little longer than 1. The second term is what is lost
        # if some library has told the processor to flush subnormal numbers to zero.
        self._slack = 1.02 * (len(query) + 2) * 2.0**-24 + float(np.abs(query).sum()) * 2.0**-14
        self._least = self._floor
        self.clear()

    @property
    def keeps_all(self) -> bool:
        """Whether everything is kept that is good enough."""
        return self._k is None

    def clear(self) -> None:
        """Forget what was offered."""
        self._floor = self._least
        self.rowids = np.empty(0, np.uint64)
        self.scores = np.empty(0, np.float64)
        self._ids = np.empty(0, "S32")

    def offer(
        self,
        vectors: NDArray[np.float16],
        rowids: NDArray[np.uint64],
        ids: Callable[[NDArray[np.intp]], NDArray[np.bytes_]],
        offsets: NDArray[np.float64] | None = None,
    ) -> None:
        """Consider rows.

        Args:
            vectors: (n, dim) of unit length.
            rowids: (n,) what to remember them by.
            ids: ids of the rows with these indices, asked only for rows that may be kept.
            offsets: (n,) what is added to each row's product.
        """
        self.consider(dots(vectors, self.rough), vectors.__getitem__, rowids.__getitem__, ids, offsets)

    def consider(
        self,
        rough: NDArray[np.float32],
        vectors: Callable[[NDArray[np.intp]], NDArray[np.float16]],
        rowids: Callable[[NDArray[np.intp]], NDArray[np.uint64]],
        ids: Callable[[NDArray[np.intp]], NDArray[np.bytes_]],
        offsets: NDArray[np.float64] | None = None,
    ) -> None:
        """Consider rows whose float32 products with `rough` are known; all else is asked only for those in question.

        Args:
            rough: (n,) products, from `dots` or `kernel.products`.
            vectors: the vectors of the rows with these indices.
            rowids: what to remember them by.
            ids: their ids.
            offsets: (n,) what is added to each row's product.
        """
        first: NDArray[np.floating[Any]] = rough
        if offsets is not None:
            first = rough + offsets  # in float64, so that no rounding error is added
        floor = self._floor
        if self._k is not None and len(first) > self._k:
            floor = max(floor, float(np.partition(first, -self._k)[-self._k]) - self._slack)
        rows = np.flatnonzero(first >= floor - self._slack)
        scores = np.empty(len(rows))
        for start in range(0, len(rows), ROWS):  # widened a few megabytes at a time: all rows may be in question
            part = slice(start, start + ROWS)
            scores[part] = (vectors(rows[part]).astype(np.float64) * self.query).sum(axis=1)
        if offsets is not None:
            scores += offsets[rows]
        rows, scores = rows[scores >= self._floor], scores[scores >= self._floor]
        self.rowids = np.concatenate([self.rowids, rowids(rows)])
        self.scores = np.concatenate([self.scores, scores])
        self._ids = np.concatenate([self._ids, ids(rows)])
        if self._k is not None and len(rows):
            self._sort()

    def ranked(self) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
        """Row ids and scores, best first."""
        self._sort()
        return self.rowids, self.scores

    def _sort(self) -> None:
        order = np.lexsort((self._ids, -self.scores))[: self._k]
        self.rowids, self.scores, self._ids = self.rowids[order], self.scores[order], self._ids[order]
        if len(order) == self._k:
            self._floor = float(self.scores[-1])


def dots(vectors: NDArray[np.float16], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of float16 rows (n, dim), all finite, with a query (dim,), in float32.

    NumPy converts float16 one number at a time, which takes ten times as long as the product. Here the bits are moved
    to their places in a float32 by integer operations, which run on whole registers: exponent and fraction shifted by
    13 make the number times 2^-112 (the exponents are biased by 15 and by 127); the query makes up for the factor.
    """
    out = np.empty(len(vectors), np.float32)
    buffer = np.empty((min(ROWS, len(vectors)), vectors.shape[1]), np.int32)
    scaled = query * np.float32(2.0**112)
    bits = vectors.view(np.int16)
    for start in range(0, len(vectors), ROWS):
        wide = buffer[: len(vectors) - start]
        np.copyto(wide, bits[start : start + ROWS])
        np.left_shift(wide, 13, out=wide)
        np.bitwise_and(wide, ~(0b111 << 28), out=wide)  # the sign is the top bit alone
        np.dot(wide.view(np.float32), scaled, out=out[start : start + ROWS])
    return out
