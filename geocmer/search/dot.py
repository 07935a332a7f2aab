"""Dot products of float16 rows with queries: fast ones in float32, and ones whose sums are never rounded.

A relation's scores are computed in two ways, compiled from the memory-mapped cache and with numpy from LanceDB, in
batches of any size. Floating-point sums would differ in their last digits, and with them the order of hits that are
all but equal. In `exact_dots` no sum is ever rounded: a float16 is a multiple of 2^-24, the queries are rounded to
multiples of `QUERY_QUANTUM`, so every partial sum is a multiple of 2^-50, and below 8 a float64 holds all of these.

NumPy converts float16 one number at a time, which takes ten times as long as the product. Here the bits are moved to
their places in a float32 by integer operations, which run on whole registers: exponent and fraction shifted by 13 make
the number times 2^-112 (the exponents are biased by 15 and by 127); the query is multiplied by `FLOAT16_SCALE` for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows

QUERY_QUANTUM = 2.0**-26
"""What the numbers of a query are rounded to; float16, in which the tiles lie, is coarser by far."""
FLOAT16_SCALE = 2.0**112
"""What a float32 made from the shifted bits of a float16 has to be multiplied by."""
BLOCK_ROWS = 1024
"""Vectors widened at once: about a megabyte, so that the second and third pass over them stay in the cache."""

NUMBA_MIN_ROWS = 16_384
"""With this many rows and more numba's product is faster than numpy's, and worth the import of numba."""


def dots_at(vectors: NDArray[np.float16], rows: Rows | None, queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply these rows of (m, dim), or all of them, with one or two queries (c, dim) as `dots` does: (c, n)."""
    if rows is None or len(rows) < NUMBA_MIN_ROWS:
        some = vectors if rows is None else vectors[rows]
        return np.array([dots(some, query) for query in queries])
    from .dot_numba import row_dots

    return row_dots(vectors, rows, queries)


def exact_dots_at(vectors: NDArray[np.float16], rows: Rows | None, queries: Float64s) -> Float64s:
    """Multiply these rows of (m, dim), or all of them, with queries (c, dim) as `exact_dots` does: (c, n)."""
    if rows is None:
        return exact_dots(vectors, queries)
    if len(rows) < NUMBA_MIN_ROWS:
        return exact_dots(vectors[rows], queries)
    from .dot_numba import exact_row_dots

    return exact_row_dots(vectors, rows, queries)


def dots(vectors: NDArray[np.float16], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply float16 rows (n, dim), all finite, with a query (dim,), in float32: (n,)."""
    out = np.empty(len(vectors), np.float32)
    buffer = np.empty((min(BLOCK_ROWS, len(vectors)), vectors.shape[1]), np.int32)
    bits, scaled = vectors.view(np.int16), query * np.float32(FLOAT16_SCALE)
    for start in range(0, len(vectors), BLOCK_ROWS):
        rows = _widen(bits[start : start + BLOCK_ROWS], buffer)
        np.dot(rows, scaled, out=out[start : start + BLOCK_ROWS])
    return out


def cross_dots(vectors: NDArray[np.float16], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply float16 rows (n, dim), all finite, with queries (c, dim), in float32: (c, n)."""
    rows = _widen(vectors.view(np.int16), np.empty(vectors.shape, np.int32))
    rows *= np.float32(FLOAT16_SCALE)  # here and not in the queries: many products of subnormal numbers are slow
    products: NDArray[np.float32] = queries @ rows.T
    return products


def quantize_queries(queries: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Round queries (c, dim), no longer than 4, to multiples of `QUERY_QUANTUM`."""
    rounded: NDArray[np.float64] = np.round(queries.astype(np.float64) / QUERY_QUANTUM) * QUERY_QUANTUM
    return rounded


def exact_dots(vectors: NDArray[np.float16], queries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply unit vectors (n, dim), all finite, with queries (c, dim) from `quantize_queries`, exactly: (c, n)."""
    out = np.empty((len(queries), len(vectors)))
    shape = min(BLOCK_ROWS, len(vectors)), vectors.shape[1]
    buffer, rows_f64 = np.empty(shape, np.int32), np.empty(shape)
    bits, scaled = vectors.view(np.int16), queries * FLOAT16_SCALE
    for start in range(0, len(vectors), BLOCK_ROWS):
        rows = _widen(bits[start : start + BLOCK_ROWS], buffer)
        np.copyto(rows_f64[: len(rows)], rows)
        out[:, start : start + BLOCK_ROWS] = scaled @ rows_f64[: len(rows)].T
    return out


def _widen(bits: NDArray[np.int16], buffer: NDArray[np.int32]) -> NDArray[np.float32]:
    """Make float32 of the bits of float16 rows, times 2^-112, in the buffer."""
    wide = buffer[: len(bits)]
    np.copyto(wide, bits)
    np.left_shift(wide, 13, out=wide)
    np.bitwise_and(wide, ~(0b111 << 28), out=wide)  # the sign is the top bit alone
    return wide.view(np.float32)
