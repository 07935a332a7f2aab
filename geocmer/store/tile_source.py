"""Where tiles with vectors are read from: the tables, or the memory-mapped copy of them, with equal answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows
from .filter import Filter
from .snapshot import Snapshot


class TileBatch(Protocol):
    """Tiles that pass a filter and have a vector, in storage order; `some` are rows among the n, None is all."""

    @property
    def read(self) -> int:
        """How many tiles were looked at for it, one by one."""

    @property
    def unembedded(self) -> int:
        """How many pass and have no vector."""

    @property
    def positions(self) -> NDArray[np.integer]:
        """Where the source finds these tiles again, (n,)."""

    @property
    def extents(self) -> Float64s:
        """Unwrapped extents, degrees, (n, 4); to be named among the columns."""

    def rowids(self, some: Rows | None = None) -> NDArray[np.uint64]:
        """Return `_rowid`s, (n,)."""

    def ids(self, some: Rows | None = None) -> NDArray[np.bytes_]:
        """Return ids, (n,), 32 bytes each."""

    def vectors(self, some: Rows) -> NDArray[np.float16]:
        """Return vectors, (m, dim)."""

    def categories(self) -> tuple[list[str | None], NDArray[np.integer]]:
        """Return names, and the index of each tile's among them, (n,); to be named among the columns."""

    def pieces(self) -> Iterator[slice]:
        """Yield parts of the n whose vectors may be in memory together; behind each of them they are let go."""

    def locate(self, piece: slice) -> tuple[NDArray[np.float16], Rows | None]:
        """Return vectors (m, dim), and the rows (n,) of them that are the piece's; None if they are all, in order."""


class TileSource(Protocol):
    """Tiles with vectors, of one version of a store. `LanceSource` and `MmapSource` are the two that there are."""

    @property
    def method(self) -> str:
        """How tiles are read, for the plan of an answer."""

    def batches(self, filter: Filter, columns: Sequence[str] = ()) -> Iterator[TileBatch]:
        """Yield the tiles that pass a filter.

        Args:
            filter: what must hold.
            columns: what is read of them besides ids and vectors: `category`, or those of the extent.

        Raises:
            InputError: the filter names a land-cover class that no tile has.
        """

    def count(self, period: Filter) -> int:
        """Count the tiles, embedded or not, that pass a filter by dates alone, or by nothing."""

    def hit_mask(self, filter: Filter, positions: NDArray[np.integer]) -> tuple[NDArray[np.bool_], int]:
        """Tell which tiles of earlier batches pass a filter, (n,), and how many pass it and have no vector."""

    def footprints(self, positions: NDArray[np.integer]) -> NDArray[np.object_]:
        """Read the footprints of tiles of earlier batches, WGS84, (n,)."""


def choose_source(snapshot: Snapshot, filter: Filter) -> TileSource:
    """Choose what to read tiles from: the memory-mapped cache, where there is one or a search so wide pays for it."""
    from .mmap_cache import cache_for
    from .mmap_source import MmapSource

    cache = cache_for(snapshot, filter)
    if cache is not None:
        return MmapSource(cache)
    from .lance_source import LanceSource

    return LanceSource(snapshot)
