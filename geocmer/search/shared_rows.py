"""Rows of the hits of some answers, read from the store at once: one answer after another takes ten times as long."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..store.snapshot import Snapshot
from .results import TakeRows

if TYPE_CHECKING:
    import pyarrow as pa


class SharedRows:
    """The rows of some answers; they are read with the first that is looked at, and forgotten with the last."""

    def __init__(self, snapshot: Snapshot, rowids: Sequence[NDArray[np.uint64]], columns: Sequence[str]) -> None:
        """Read nothing yet.

        Args:
            snapshot: where the rows are.
            rowids: of each answer, (n,), those of its first page.
            columns: that are read.
        """
        self._snapshot, self._columns = snapshot, tuple(columns)
        self._rowids = np.unique(np.concatenate([np.empty(0, np.uint64), *rowids]))
        self._unread = set(range(len(rowids)))
        self._table: pa.Table | None = None

    def of(self, number: int) -> TakeRows:
        """Return what reads the rows of the answer of this number; it stands for `Snapshot.take`."""
        return partial(self._take, number)

    def _take(self, number: int, rowids: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        places = np.minimum(np.searchsorted(self._rowids, rowids), max(len(self._rowids) - 1, 0))
        shared = number in self._unread and tuple(columns) == self._columns
        if not shared or not len(rowids) or (self._rowids[places] != rowids).any():
            return self._snapshot.take(rowids, columns)
        table = self._table if self._table is not None else self._snapshot.take(self._rowids, self._columns)
        self._unread.discard(number)
        self._table = table if self._unread else None
        return table.take(places)
