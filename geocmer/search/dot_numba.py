"""Dot products of many float16 rows with queries at the speed of memory, compiled by numba; see `dot`."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from .dot import FLOAT16_SCALE

BLOCK_ROWS = 256
"""Rows that stay in the processor's cache while one pair of queries after another passes over them: 200 kB."""


def row_dots(vectors: NDArray[np.float16], rows: NDArray[np.intp], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply the rows of (n, dim) with these indices, all finite, with a query (dim,), in float32."""
    out = np.empty(len(rows), np.float32)
    bits, scaled = vectors.view(np.int16), query * np.float32(FLOAT16_SCALE)
    _run_in_threads(len(rows), lambda span: _fill_dots(bits, rows[span], scaled, out[span]))
    return out


def exact_row_dots(
    vectors: NDArray[np.float16], rows: NDArray[np.intp], queries: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Multiply them with several queries (c, dim) from `quantize_queries` in one pass, exactly: (c, rows)."""
    out = np.empty((len(queries), len(rows)))
    bits, scaled = vectors.view(np.int16), np.ascontiguousarray(queries * FLOAT16_SCALE)
    _run_in_threads(len(rows), lambda span: _fill_exact_dots(bits, rows[span], scaled, out[:, span]))
    return out


def _run_in_threads(n: int, work: Callable[[slice], None]) -> None:
    """Work on n rows in threads of our own that the compiled code, free of the interpreter's lock, keeps busy.

    Numba's threads must not be entered by two callers at once.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    edges = np.linspace(0, n, workers + 1).astype(int).tolist()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, map(slice, edges[:-1], edges[1:])))


def _compiled(function: Callable[..., None]) -> Any:
    # Terms may be added in any order, which is what lets the processor take eight at a time.
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract"}, "boundscheck": False}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no place to keep the compiled code: a second is lost in every process
        return numba.njit(**options)(function)


@_compiled
def _fill_dots(bits: Any, rows: Any, scaled: Any, out: Any) -> None:
    for i in range(len(rows)):
        row, total = rows[i], np.float32(0)
        for j in range(len(scaled)):
            wide = (np.int32(bits[row, j]) << 13) & np.int32(~(0b111 << 28))
            total += np.int32(wide).view(np.float32) * scaled[j]
        out[i] = total


@_compiled
def _fill_exact_dots(bits: Any, rows: Any, scaled: Any, out: Any) -> None:
    count = len(scaled)
    for start in range(0, len(rows), BLOCK_ROWS):
        end = min(start + BLOCK_ROWS, len(rows))
        for first in range(0, count, 2):
            second = min(first + 1, count - 1)
            a, b = scaled[first], scaled[second]
            for i in range(start, end):
                row, total_a, total_b = rows[i], 0.0, 0.0
                for j in range(len(a)):
                    wide = (np.int32(bits[row, j]) << 13) & np.int32(~(0b111 << 28))
                    value = np.float64(np.int32(wide).view(np.float32))
                    total_a += value * a[j]
                    total_b += value * b[j]
                out[first, i], out[second, i] = total_a, total_b
