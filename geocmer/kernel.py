"""Products of many float16 rows with a query at the speed of memory, compiled by numba; see `ranking.dots`."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


def products(vectors: NDArray[np.float16], rows: NDArray[np.intp], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products in float32 of the rows of (n, dim) with these indices, all finite, with a query (dim,)."""
    out = np.empty(len(rows), np.float32)
    bits, scaled = vectors.view(np.int16), query * np.float32(2.0**112)
    # Threads of our own that the compiled code, free of the interpreter's lock, keeps busy: numba's threads must not be
    # entered by two callers at once.
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parts = np.array_split(np.arange(len(rows)), workers)
    spans = [slice(part[0], part[-1] + 1) for part in parts if len(part)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda span: _fill(bits, rows[span], scaled, out[span]), spans))
    return out


def _compiled(function: Callable[..., None]) -> Any:
    # Terms may be added in any order, which is what lets the processor take eight at a time.
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract"}, "boundscheck": False}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no place to keep the compiled code: a second is lost in every process
        return numba.njit(**options)(function)


@_compiled
def _fill(bits: Any, rows: Any, scaled: Any, out: Any) -> None:
    for i in range(len(rows)):
        row, total = rows[i], np.float32(0)
        for j in range(len(scaled)):
            wide = (np.int32(bits[row, j]) << 13) & np.int32(~(0b111 << 28))
            total += np.int32(wide).view(np.float32) * scaled[j]
        out[i] = total
