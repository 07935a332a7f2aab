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
CHUNK = 256
"""Products that are looked at together for one that may matter."""


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


def round_rows(
    vectors: NDArray[np.float16], scales: NDArray[np.float32]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round float16 rows (n, dim) to whole multiples of scales (n,), and tell how long is what that takes off each.

    Args:
        vectors: all finite.
        scales: the largest number of each row over 127, or more.

    Returns:
        The multiples (n, dim), and the lengths (n,) of what was lost.
    """
    codes, lost = np.empty(vectors.shape, np.int8), np.empty(len(vectors), np.float32)
    bits = vectors.view(np.int16)
    _run_in_threads(len(bits), lambda span: _fill_codes(bits[span], scales[span], codes[span], lost[span]))
    return codes, lost


def find_greater(
    products: NDArray[np.int32], scales: NDArray[np.float32], least: NDArray[np.float32]
) -> NDArray[np.intp]:
    """Find the products (c, n), times the scales (n,) of their columns, that exceed the least (c,) of their lines.

    The columns that are found are written to the beginning of each line.

    Returns:
        (c,) how many there are.
    """
    counts = np.empty(len(products), np.intp)
    _run_in_threads(len(products), lambda span: _fill_greater(products[span], scales, least[span], counts[span]))
    return counts


def pair_dots(
    vectors: NDArray[np.float16], rows: NDArray[np.int32], queries: NDArray[np.float32], who: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Multiply the rows of (n, dim) with these indices, all finite, each with the query of (c, dim) beside it."""
    out = np.empty(len(rows), np.float32)
    bits, scaled = vectors.view(np.int16), queries * np.float32(FLOAT16_SCALE)
    _run_in_threads(len(rows), lambda span: _fill_pair_dots(bits, rows[span], scaled, who[span], out[span]))
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
def _widen(bits: Any) -> Any:
    """Make float32 of the bits of a float16, times 2^-112."""
    return np.int32((np.int32(bits) << 13) & np.int32(~(0b111 << 28))).view(np.float32)


@_compiled
def _fill_dots(bits: Any, rows: Any, scaled: Any, out: Any) -> None:
    for i in range(len(rows)):
        row, total = rows[i], np.float32(0)
        for j in range(len(scaled)):
            total += _widen(bits[row, j]) * scaled[j]
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
                    value = np.float64(_widen(bits[row, j]))
                    total_a += value * a[j]
                    total_b += value * b[j]
                out[first, i], out[second, i] = total_a, total_b


@_compiled
def _fill_codes(bits: Any, scales: Any, codes: Any, errors: Any) -> None:
    """Round rows of float16 to whole numbers of scales, and tell how long is what that takes off each."""
    scale_f16 = np.float32(FLOAT16_SCALE)
    for i in range(len(bits)):
        row, rounded, scale = bits[i], codes[i], scales[i]
        steps = scale_f16 / scale if scale > 0 else np.float32(0)
        for j in range(len(row)):
            # To the nearest whole number: beside 1.5 * 2^23 a float32 has no room for a fraction.
            near = np.float32(np.float32(_widen(row[j]) * steps) + np.float32(12_582_912))
            rounded[j] = np.int8(near.view(np.int32) - np.int32(0x4B400000))
        lost = np.float32(0)
        for j in range(len(row)):
            rest = np.float32(_widen(row[j]) * scale_f16) - np.float32(rounded[j]) * scale
            lost += rest * rest
        errors[i] = np.sqrt(lost)


@_compiled
def _fill_greater(products: Any, scales: Any, least: Any, counts: Any) -> None:
    for line in range(len(products)):
        of_line, limit, found = products[line], least[line], 0
        for start in range(0, len(of_line), CHUNK):
            some, scale = of_line[start : start + CHUNK], scales[start : start + CHUNK]
            signs = np.int32(0)  # negative as soon as one of the differences is: a test that fills whole registers
            for i in range(len(some)):
                signs |= np.float32(limit - np.float32(some[i]) * scale[i]).view(np.int32)
            if signs < 0:
                for i in range(len(some)):
                    if np.float32(some[i]) * scale[i] > limit:
                        of_line[found] = start + i
                        found += 1
        counts[line] = found


@_compiled
def _fill_pair_dots(bits: Any, rows: Any, scaled: Any, who: Any, out: Any) -> None:
    for i in range(len(rows)):
        row, query, total = bits[rows[i]], scaled[who[i]], np.float32(0)
        for j in range(len(row)):
            total += _widen(row[j]) * query[j]
        out[i] = total
