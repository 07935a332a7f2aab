"""Which of many vectors may be among the best of many queries, told by products of 8-bit numbers and a bound.

With x = s·c + e, where c are whole numbers of -127 to 127, s the largest number of x over 127, and e what rounding
lost, and a query q = t·d + f likewise,

    x·q = s·t·(c·d) + s·c·f + e·q  <=  s·t·(c·d) + |s·c|·|f| + |e|        (Cauchy and Schwarz; |q| = 1)

c·d is exact in 32-bit integers, and processors with the VNNI instructions multiply them at three times the speed of
float32. What the bound lets through, a tile in some thousands, is multiplied in float32 while it lies in the cache.
"""

from __future__ import annotations

import sys
import threading
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows

MAX_NORM = 1.02
"""No vector is longer: those of unit length are a little off it in float16."""
SLACK = 1e-5
"""What the rounding of the bound itself, in float32, may amount to at most, and more."""
MIN_PRODUCTS = 5_000_000
"""With fewer products in all, float32 is as quick."""
MIN_PRODUCTS_FOR_TORCH = 300_000_000
"""With fewer, importing torch takes longer than it saves."""


def is_faster(products: int) -> bool:
    """Tell whether so many products are made faster in this way, on this processor."""
    needed = MIN_PRODUCTS if "torch" in sys.modules else MIN_PRODUCTS_FOR_TORCH
    return products >= needed and _is_quick_and_exact()


@cache
def _is_quick_and_exact() -> bool:
    """Tell whether torch multiplies 8-bit numbers quickly here, and without saturating at 16 bits."""
    import torch

    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    signs = np.random.default_rng(0).choice(np.array([-127, 127], np.int8), (2, 256, 512))
    signs[:, :8] = 127
    exact = signs[0].astype(np.float64) @ signs[1].astype(np.float64).T
    return bool((_products(torch.from_numpy(signs[0]), signs[1], np.empty((256, 256), np.int32)) == exact).all())


def _products(queries: Any, codes: NDArray[np.int8], out: NDArray[np.int32]) -> NDArray[np.int32]:
    """Multiply (c, dim) with (n, dim): (c, n)."""
    import torch

    # Of all that ships with torch this alone multiplies int8 into int32 on a CPU; torchao is built on it too.
    torch._int_mm(queries, torch.from_numpy(codes).T, out=torch.from_numpy(out))
    return out


class Int8Queries:
    """Queries that are asked together, of blocks of vectors in as many threads as there are."""

    def __init__(self, queries: Float64s, together: int) -> None:
        """Round queries (c, dim) of unit length, of which so many are multiplied with a block at once."""
        import torch

        from .dot_numba import MAX_CODE

        self._scales = np.abs(queries).max(axis=1) / MAX_CODE
        codes = np.rint(queries / self._scales[:, None]).astype(np.int8)
        self._errors = np.linalg.norm(queries - codes * self._scales[:, None], axis=1)
        self._codes = torch.from_numpy(codes)
        self._queries = queries.astype(np.float32)
        self._groups = [slice(first, first + together) for first in range(0, len(queries), together)]
        self._own = threading.local()

    def candidates(self, vectors: NDArray[np.float16], floors: Float64s) -> tuple[Rows, Rows, NDArray[np.float32]]:
        """Find the products, in float32, that reach the floors of their queries.

        Args:
            vectors: (n, dim), all finite.
            floors: (c,) the least product of each query.

        Returns:
            Queries and vectors, by their numbers, in the order of the queries, and their products.
        """
        from .dot_numba import find_greater, products_above, round_rows

        codes, room = self._buffers(len(vectors))
        scales, lost = round_rows(vectors, codes)
        error = float(lost.max())
        margins = error + (MAX_NORM + error) * self._errors + SLACK
        least, floors_f32 = _rounded_down((floors - margins) / self._scales), _rounded_down(floors)
        found = []
        for group in self._groups:
            rough = _products(self._codes[group], codes, room[: len(least[group])])
            counts = find_greater(rough, scales, least[group])
            owners, rows, products = products_above(vectors, rough, counts, self._queries[group], floors_f32[group])
            found.append((owners + group.start, rows, products))
        owners, rows, products = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return owners, rows, products

    def _buffers(self, n: int) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
        """Give this thread room for n vectors and their products: fresh memory for each block takes as long as they."""
        if getattr(self._own, "n", 0) != n:
            most = min(len(self._codes), self._groups[0].stop)
            self._own.codes = np.empty((n, self._codes.shape[1]), np.int8)
            self._own.room, self._own.n = np.empty((most, n), np.int32), n
        return self._own.codes, self._own.room


def _rounded_down(values: Float64s) -> NDArray[np.float32]:
    rounded: NDArray[np.float32] = np.nextafter(values.astype(np.float32), np.float32(-np.inf))
    return rounded
