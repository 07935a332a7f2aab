"""Which of many vectors may be among the best of many queries: products in 8 bits or float32, block by block.

Each processor takes a block at a time through all that is done with it, so that it stays in its cache. The least
products that still matter rise between rounds of blocks, each of which is as long as all before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._types import Rows
from ..store.tile_source import TileBatch
from .dot import cross_dots
from .int8_candidates import Int8Queries, is_faster
from .topk import TopKOfEach

FIRST_ROWS = 1024
"""Vectors of the first block, of which all products are looked at."""
BLOCK_ROWS = 2048
"""Vectors multiplied at once with all queries of a group: 1.5 MB at 384 numbers."""
GROUP_QUERIES = 1024
"""Queries multiplied at once: their products with a block are 8 MB."""
OWNER_STEP = 4.0
"""More than products differ: numbers of queries, so far apart, and products make one key to sort by."""

Found: TypeAlias = tuple[Rows, Rows, NDArray[np.float32]]
"""Queries and rows, by their numbers, and their products in float32."""


class Candidates:
    """The vectors of a batch that may be among the best of each query."""

    def __init__(self, best: TopKOfEach, batch: TileBatch) -> None:
        """Start with none: what may be better than the best so far is wanted."""
        self._k, self._errors, self._floors = best.k, best.max_errors, best.candidate_floors
        self._queries = best.queries.astype(np.float32)
        quickly = is_faster(len(batch.positions) * len(self._queries))
        self._int8 = Int8Queries(best.queries, GROUP_QUERIES) if quickly else None
        self._batch = batch
        self._found: list[Found] = [(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32))]

    def find(self) -> tuple[Rows, Rows]:
        """Return queries (n,) and rows (n,) of the batch, by their numbers, in the order of the queries."""
        due = FIRST_ROWS  # when the floors are raised: ever more rarely, as they rise ever more slowly
        with _threads(self._int8 is not None) as pool:
            for piece in self._batch.pieces():
                start = piece.start
                while start < piece.stop:
                    stop = min(piece.stop, due)
                    self._add(start, stop, pool)
                    if stop == due:
                        self._raise_floors()
                        due *= 2
                    start = stop
        self._raise_floors()
        owners, rows, _ = self._found[0]
        return owners, rows

    def _add(self, start: int, stop: int, pool: ThreadPoolExecutor | None) -> None:
        """Look for them among these rows."""
        starts = range(start, stop, BLOCK_ROWS)
        blocks = [slice(first, min(first + BLOCK_ROWS, stop)) for first in starts]
        if pool is not None and np.isfinite(self._floors).all():
            self._found += pool.map(self._in_8_bits, blocks)
        else:
            self._found += map(self._in_float32, blocks)

    def _in_8_bits(self, block: slice) -> Found:
        assert self._int8 is not None  # or there are no threads
        owners, rows, products = self._int8.candidates(self._vectors(block), self._floors)
        return owners, rows + block.start, products

    def _in_float32(self, block: slice) -> Found:
        found, vectors = [], self._vectors(block)
        for first in range(0, len(self._queries), GROUP_QUERIES):
            group = slice(first, first + GROUP_QUERIES)
            products, floors = cross_dots(vectors, self._queries[group]), self._floors[group]
            if self._k is not None and len(vectors) > self._k and np.isneginf(floors).any():
                # The block itself tells what the k-th best is at least.
                kth = np.partition(products, -self._k, axis=1)[:, -self._k] - 2 * self._errors[group]
                np.maximum(floors, kth, out=floors)
            # In float32, rounded down: beside float64 all products would be widened.
            least = np.nextafter(floors.astype(np.float32), np.float32(-np.inf))
            owners, rows = np.divmod(np.flatnonzero(products >= least[:, None]), len(vectors))
            found.append((owners + first, rows + block.start, products[owners, rows]))
        return _joined(found)

    def _vectors(self, block: slice) -> NDArray[np.float16]:
        """Return the vectors of these rows of the batch, without copying those that lie together."""
        vectors, rows = self._batch.locate(block)
        if rows is None:
            return vectors
        together = rows[-1] - rows[0] == len(rows) - 1
        return vectors[rows[0] : rows[-1] + 1] if together else vectors[rows]

    def _raise_floors(self) -> None:
        """Forget what is certainly not among the k best: a product, and that of the k-th, may each be an error off."""
        owners, rows, products = _joined(self._found)
        order = np.argsort(owners * OWNER_STEP - products)
        owners, rows, products = owners[order], rows[order], products[order]
        if self._k is not None:
            asked, first, count = np.unique(owners, return_index=True, return_counts=True)
            full = count >= self._k
            kth = products[first[full] + self._k - 1] - 2 * self._errors[asked[full]]
            self._floors[asked[full]] = np.maximum(self._floors[asked[full]], kth)
        kept = products >= self._floors[owners]
        self._found = [(owners[kept], rows[kept], products[kept])]


def _joined(found: Sequence[Found]) -> Found:
    owners, rows, products = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return owners, rows, products


@contextmanager
def _threads(wanted: bool) -> Iterator[ThreadPoolExecutor | None]:
    """Keep a thread for each processor, in which torch uses no more of its own."""
    if not wanted:
        yield None
        return
    import torch

    from .dot_numba import processors

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(processors(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)  # new threads take over what was set last, anywhere
