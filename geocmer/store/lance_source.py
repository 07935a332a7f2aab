"""Tiles with vectors as LanceDB reads them, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from .._types import Float64s, Rows
from .filter import Filter
from .scan import RowReader, matches
from .schema import EXTENT
from .snapshot import Snapshot
from .vectors import to_numpy

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class LanceBatch:
    """See `TileBatch`; `rows` are the embedded rows of an Arrow batch, and `stored` their vectors (n, dim)."""

    read: int
    unembedded: int
    rows: pa.RecordBatch = field(repr=False)
    stored: NDArray[np.float16] = field(repr=False)

    @cached_property
    def positions(self) -> NDArray[np.uint64]:
        """The `_rowid`s, (n,)."""
        rowids: NDArray[np.uint64] = self.rows["_rowid"].to_numpy().copy()  # a view would keep the whole batch
        return rowids

    @property
    def extents(self) -> Float64s:  # noqa: D102
        return np.column_stack([self.rows[name].to_numpy() for name in EXTENT])

    def rowids(self, some: Rows | None = None) -> NDArray[np.uint64]:  # noqa: D102
        return self.positions if some is None else self.positions[some]

    def ids(self, some: Rows | None = None) -> NDArray[np.bytes_]:  # noqa: D102
        column = self.rows["id"]
        return np.array((column if some is None else column.take(some)).to_pylist(), dtype="S32")

    def vectors(self, some: Rows) -> NDArray[np.float16]:  # noqa: D102
        return self.stored[some]

    def categories(self) -> tuple[list[str | None], NDArray[np.integer]]:  # noqa: D102
        encoded = self.rows["category"].dictionary_encode()
        names = [*encoded.dictionary.to_pylist(), None]
        return names, encoded.indices.fill_null(len(names) - 1).to_numpy()

    def pieces(self) -> Iterator[slice]:  # noqa: D102
        yield slice(0, len(self.stored))

    def locate(self, piece: slice) -> tuple[NDArray[np.float16], Rows | None]:  # noqa: D102
        return self.stored[piece], None


@dataclass(frozen=True)
class LanceSource:
    """See `TileSource`.

    Attributes:
        snapshot: the version read.
        reader: of the rows, all of the snapshot if None.
    """

    snapshot: Snapshot
    reader: RowReader | None = None
    method: str = "LanceDB scan"

    def batches(self, filter: Filter, columns: Sequence[str] = ()) -> Iterator[LanceBatch]:  # noqa: D102
        vector = self.snapshot.require_encoder().column
        for read, batch in matches(self.snapshot, filter, ("id", vector, *columns), self.reader):
            vectors, embedded = to_numpy(batch[vector])
            if embedded.all():
                yield LanceBatch(read, 0, batch, vectors)
            else:
                yield LanceBatch(read, int((~embedded).sum()), batch.filter(embedded), vectors[embedded])

    def count(self, period: Filter) -> int:  # noqa: D102
        return self.snapshot.count(period.prefilter(lambda: self.snapshot.max_tile_extent))

    def hit_mask(self, filter: Filter, positions: NDArray[np.integer]) -> tuple[NDArray[np.bool_], int]:  # noqa: D102
        found = [batch["_rowid"].to_numpy().copy() for _, batch in matches(self.snapshot, filter, ("id",))]
        matching = np.concatenate([np.empty(0, np.uint64), *found])
        mask = np.isin(positions, matching)
        return mask, len(matching) - int(mask.sum())

    def footprints(self, positions: NDArray[np.integer]) -> NDArray[np.object_]:  # noqa: D102
        column = self.snapshot.take(positions.astype(np.uint64, copy=False), ["geometry"])["geometry"]
        footprints: NDArray[np.object_] = shapely.from_wkb(column.to_numpy())
        return footprints
