"""Products of float16 rows with queries, exact to the last bit: the same in whatever order they are added up.

A relation's scores come by two ways, compiled from the memory-mapped cache and through numpy from LanceDB, in any
batches.
Floating-point sums would differ in their last digits, and with them the order of hits that are all but equal. Here no
sum is ever rounded: a float16 is a multiple of 2^-24, the queries are rounded to multiples of `GRID`, so every partial
sum is a multiple of 2^-50, and below 8 a float64 holds all of these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 2.0**-26
"""What the numbers of a query are rounded to; float16, in which the tiles lie, is coarser by far."""
ROWS = 1024
"""Vectors widened at once: 3 MB at 384 numbers."""


def on_grid(queries: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Queries (c, dim), no longer than 4, rounded to the grid."""
    rounded: NDArray[np.float64] = np.round(queries.astype(np.float64) / GRID) * GRID
    return rounded


def exact_dots(vectors: NDArray[np.float16], queries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Products (c, n) of unit vectors (n, dim), all finite, with queries from `on_grid`; see `ranking.dots`."""
    out = np.empty((len(queries), len(vectors)))
    shape = min(ROWS, len(vectors)), vectors.shape[1]
    narrow, wide = np.empty(shape, np.int32), np.empty(shape)
    bits, scaled = vectors.view(np.int16), queries * 2.0**112
    for start in range(0, len(vectors), ROWS):
        some = narrow[: len(vectors) - start]
        np.copyto(some, bits[start : start + ROWS])
        np.left_shift(some, 13, out=some)
        np.bitwise_and(some, ~(0b111 << 28), out=some)
        np.copyto(wide[: len(some)], some.view(np.float32))
        out[:, start : start + ROWS] = scaled @ wide[: len(some)].T
    return out
