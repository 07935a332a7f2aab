"""Dot products of many float16 rows with queries at the speed of memory, compiled by numba; see `dot`."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from .dot import FLOAT16_SCALE

BLOCK_ROWS = 256
"""Rows that stay in the processor's cache while one pair of queries after another passes over them: 200 kB."""
CHUNK_PRODUCTS = 256
"""Products that are looked at together for one that may matter."""
_HAS_FLOAT16 = platform.machine() in ("aarch64", "arm64") or bool(llvm.get_host_cpu_features().get("f16c"))
"""Whether the processor converts float16 itself, twice as fast as its bits are moved."""
MAX_CODE = 127
"""The largest of the whole numbers that rows are rounded to."""


def row_dots(vectors: NDArray[np.float16], rows: NDArray[np.intp], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply the rows of (n, dim) with these indices, all finite, with one or two queries (c, dim): (c, rows)."""
    out = np.empty((len(queries), len(rows)), np.float32)
    bits = vectors.view(np.int16)
    if len(queries) == 1:
        _run_in_threads(len(rows), lambda span: _fill_dots(bits, rows[span], queries[0], out[0, span]))
    else:  # what the second takes is hidden behind reading the rows
        _run_in_threads(len(rows), lambda span: _fill_two_dots(bits, rows[span], *queries, *out[:, span]))
    return out


def exact_row_dots(
    vectors: NDArray[np.float16], rows: NDArray[np.intp], queries: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Multiply them with several queries (c, dim) from `quantize_queries` in one pass, exactly: (c, rows)."""
    out = np.empty((len(queries), len(rows)))
    bits, queries = vectors.view(np.int16), np.ascontiguousarray(queries)
    _run_in_threads(len(rows), lambda span: _fill_exact_dots(bits, rows[span], queries, out[:, span]))
    return out


def round_rows(
    vectors: NDArray[np.float16], codes: NDArray[np.int8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Round float16 rows (n, dim), all finite, to whole multiples, -127 to 127, of a scale for each row.

    Args:
        vectors: the rows.
        codes: (n, dim), gets the multiples.

    Returns:
        The scales (n,), and the lengths (n,) of what was lost.
    """
    scales, lost = np.empty(len(vectors), np.float32), np.empty(len(vectors), np.float32)
    _fill_codes(vectors.view(np.int16), codes, scales, lost)
    return scales, lost


def find_greater(
    products: NDArray[np.int32], scales: NDArray[np.float32], least: NDArray[np.float32]
) -> NDArray[np.intp]:
    """Find the products (c, n), times the scales (n,) of their columns, that exceed the least (c,) of their lines.

    The columns that are found are written to the beginning of each line.

    Returns:
        (c,) how many there are.
    """
    counts = np.empty(len(products), np.intp)
    _fill_greater(products, scales, least, counts)
    return counts


def products_above(
    vectors: NDArray[np.float16], columns: NDArray[np.int32], counts: NDArray[np.intp],
    queries: NDArray[np.float32], least: NDArray[np.float32],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:  # fmt: skip
    """Multiply each query of (c, dim) with the rows of (n, dim) that were found for it, in float32.

    Args:
        vectors: all finite.
        columns: (c, ...) the rows of each query at the beginning of its line, as `find_greater` writes them.
        counts: (c,) how many there are.
        queries: in float32.
        least: (c,) products below are left out.

    Returns:
        Queries and rows, by their numbers, in the order of the queries, and their products.
    """
    total = int(counts.sum())
    owners, rows, products = np.empty(total, np.intp), np.empty(total, np.intp), np.empty(total, np.float32)
    kept = _fill_above(vectors.view(np.int16), columns, counts, queries, least, owners, rows, products)
    return owners[:kept], rows[:kept], products[:kept]


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run_in_threads(n: int, work: Callable[[slice], None]) -> None:
    """Work on n rows in threads of our own that the compiled code, free of the interpreter's lock, keeps busy.

    Numba's threads must not be entered by two callers at once.
    """
    workers = processors()
    edges = np.linspace(0, n, workers + 1).astype(int).tolist()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, map(slice, edges[:-1], edges[1:])))


def _compiled(function: Callable[..., Any]) -> Any:
    # Terms may be added in any order, which is what lets the processor take eight at a time.
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract"}, "boundscheck": False}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no place to keep the compiled code: a second is lost in every process
        return numba.njit(**options)(function)


def _widening(_: Any, bits: Any) -> Any:
    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        if _HAS_FLOAT16:
            return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())
        moved = builder.shl(builder.sext(arguments[0], ir.IntType(32)), ir.Constant(ir.IntType(32), 13))
        moved = builder.and_(moved, ir.Constant(ir.IntType(32), ~(0b111 << 28)))  # see `dot`
        return builder.fmul(builder.bitcast(moved, ir.FloatType()), ir.Constant(ir.FloatType(), FLOAT16_SCALE))

    return types.float32(bits), generate


_widen: Any = intrinsic(_widening)
"""Makes a float32 of the bits of a float16, an int16."""


@_compiled
def _fill_dots(bits: Any, rows: Any, query: Any, out: Any) -> None:
    for i in range(len(rows)):
        row, total = rows[i], np.float32(0)
        for j in range(len(query)):
            total += _widen(bits[row, j]) * query[j]
        out[i] = total


@_compiled
def _fill_two_dots(bits: Any, rows: Any, first: Any, second: Any, out_first: Any, out_second: Any) -> None:
    for i in range(len(rows)):
        row, total_first, total_second = rows[i], np.float32(0), np.float32(0)
        for j in range(len(first)):
            value = _widen(bits[row, j])
            total_first += value * first[j]
            total_second += value * second[j]
        out_first[i], out_second[i] = total_first, total_second


@_compiled
def _fill_exact_dots(bits: Any, rows: Any, queries: Any, out: Any) -> None:
    count = len(queries)
    for start in range(0, len(rows), BLOCK_ROWS):
        end = min(start + BLOCK_ROWS, len(rows))
        for first in range(0, count, 2):
            second = min(first + 1, count - 1)
            a, b = queries[first], queries[second]
            for i in range(start, end):
                row, total_a, total_b = rows[i], 0.0, 0.0
                for j in range(len(a)):
                    value = np.float64(_widen(bits[row, j]))
                    total_a += value * a[j]
                    total_b += value * b[j]
                out[first, i], out[second, i] = total_a, total_b


@_compiled
def _fill_codes(bits: Any, codes: Any, scales: Any, errors: Any) -> None:
    for i in range(len(bits)):
        row, rounded, largest = bits[i], codes[i], np.int16(0)
        for j in range(len(row)):  # without the sign the bits are ordered as the numbers
            largest = max(largest, np.int16(row[j] & np.int16(0x7FFF)))
        scale = _widen(largest) / np.float32(MAX_CODE)
        steps = np.float32(1) / scale if scale > 0 else np.float32(0)
        for j in range(len(row)):
            # To the nearest whole number: beside 1.5 * 2^23 a float32 has no room for a fraction.
            near = np.float32(np.float32(_widen(row[j]) * steps) + np.float32(12_582_912))
            rounded[j] = np.int8(near.view(np.int32) - np.int32(0x4B400000))
        lost = np.float32(0)
        for j in range(len(row)):
            rest = _widen(row[j]) - np.float32(rounded[j]) * scale
            lost += rest * rest
        scales[i], errors[i] = scale, np.sqrt(lost)


@_compiled
def _fill_greater(products: Any, scales: Any, least: Any, counts: Any) -> None:
    for line in range(len(products)):
        of_line, limit, found = products[line], least[line], 0
        for start in range(0, len(of_line), CHUNK_PRODUCTS):
            some, scale = of_line[start : start + CHUNK_PRODUCTS], scales[start : start + CHUNK_PRODUCTS]
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
def _fill_above(
    bits: Any, columns: Any, counts: Any, queries: Any, least: Any, owners: Any, rows: Any, products: Any
) -> int:
    kept = 0
    for line in range(len(counts)):
        query = queries[line]
        for i in range(counts[line]):
            row, total = bits[columns[line, i]], np.float32(0)
            for j in range(len(query)):
                total += _widen(row[j]) * query[j]
            if total >= least[line]:
                owners[kept], rows[kept], products[kept] = line, columns[line, i], total
                kept += 1
    return kept
