"""Tiles with vectors as the memory-mapped cache holds them, all of a filter in one batch."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows
from .filter import Filter
from .mmap_cache import MmapCache

MAPPED_ROWS = 65_536
"""Rows whose vectors are mapped at once, 50 MB at 384 numbers, where all are kept that are read."""


@dataclass(frozen=True, slots=True)
class MmapBatch:
    """See `TileBatch`; `positions` are rows of the cache."""

    cache: MmapCache = field(repr=False)
    positions: Rows
    read: int
    unembedded: int

    @property
    def extents(self) -> Float64s:  # noqa: D102
        return self.cache.extents if self._is_whole() else self.cache.extents[self.positions]

    def rowids(self, some: Rows | None = None) -> NDArray[np.uint64]:  # noqa: D102
        return self.cache.rowids if some is None and self._is_whole() else self.cache.rowids[self._at(some)]

    def ids(self, some: Rows | None = None) -> NDArray[np.bytes_]:  # noqa: D102
        return self.cache.ids if some is None and self._is_whole() else self.cache.ids[self._at(some)]

    def vectors(self, some: Rows) -> NDArray[np.float16]:  # noqa: D102
        return self.cache.vectors[self.positions[some]]

    def categories(self) -> tuple[list[str | None], NDArray[np.integer]]:  # noqa: D102
        return self.cache.names, self.cache.categories[self.positions]

    def pieces(self) -> Iterator[slice]:
        """Yield the rows some at a time; behind each piece the vectors are unmapped, so that memory stays flat.

        The system would take back what is mapped only when it must, and count it as the process's until then.
        """
        advise = getattr(getattr(self.cache.vectors.base, "_mmap", None), "madvise", None)
        for start in range(0, len(self.positions), MAPPED_ROWS):
            yield slice(start, min(start + MAPPED_ROWS, len(self.positions)))
            if advise is not None and hasattr(mmap, "MADV_DONTNEED"):  # not so on Windows
                advise(mmap.MADV_DONTNEED)

    def locate(self, piece: slice) -> tuple[NDArray[np.float16], Rows | None]:  # noqa: D102
        return self.cache.vectors, self.positions[piece]

    def _is_whole(self) -> bool:
        """Tell whether it holds every row of the cache; then nothing needs copying."""
        return len(self.positions) == len(self.cache.ids)

    def _at(self, some: Rows | None) -> Rows:
        return self.positions if some is None else self.positions[some]


@dataclass(frozen=True, slots=True)
class MmapSource:
    """See `TileSource`."""

    cache: MmapCache
    method: str = "memory-mapped cache"

    def batches(self, filter: Filter, columns: Sequence[str] = ()) -> Iterator[MmapBatch]:  # noqa: ARG002, D102
        matching, read = self.cache.select(filter)
        embedded = matching[self.cache.embedded[matching]]
        yield MmapBatch(self.cache, embedded, read, len(matching) - len(embedded))

    def count(self, period: Filter) -> int:  # noqa: D102
        return len(self.cache.select(period)[0])

    def hit_mask(self, filter: Filter, positions: NDArray[np.integer]) -> tuple[NDArray[np.bool_], int]:  # noqa: D102
        matching, _ = self.cache.select(filter)
        mask = np.zeros(len(self.cache.ids), bool)
        mask[matching] = True
        return mask[positions], int((~self.cache.embedded[matching]).sum())

    def footprints(self, positions: NDArray[np.integer]) -> NDArray[np.object_]:  # noqa: D102
        return self.cache.footprints(positions.astype(np.intp, copy=False))
