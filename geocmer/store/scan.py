"""The rows of a store that meet a filter, a batch at a time: Lance reads what may match, shapely and numpy decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

from .filter import Filter, inside
from .schema import EXTENT
from .snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

Source: TypeAlias = "Callable[[list[str], pc.Expression | None], Iterator[pa.RecordBatch]]"
"""Columns and a coarse filter -> rows."""


def matches(
    snapshot: Snapshot,
    filter: Filter,
    columns: Sequence[str],
    source: Source | None = None,
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows that truly match, with their `_rowid`; before each batch, how many rows were read for it.

    Args:
        snapshot: the version read.
        filter: what must hold.
        columns: to read.
        source: of the rows; by default all of the snapshot.

    Raises:
        InputError: the filter names a land-cover class that no tile has.
    """
    area, shares = filter.area, filter.shares
    names = dict.fromkeys(columns)
    if area is not None:
        names |= dict.fromkeys((*EXTENT, "geometry"))
    if shares is not None:
        names |= dict.fromkeys(("labels", "fractions"))
        labels = shares.labels(snapshot.labels)
    for batch in (source or snapshot.scan)(list(names), filter.prefilter(lambda: snapshot.max_tile_extent)):
        kept = batch
        if shares is not None:
            covered = np.asarray(kept["labels"].is_valid())
            kept = kept.filter(covered & shares.holds(partial(_share, kept, labels)))
        if area is not None:
            extents = np.column_stack([kept[name].to_numpy() for name in EXTENT])
            kept = kept.filter(inside(area, extents, partial(_footprints, kept["geometry"])))
        yield batch.num_rows, kept


def _share(batch: pa.RecordBatch, labels: dict[str, frozenset[str]], name: str) -> NDArray[np.float64]:
    """The share that the labels of a name have of each tile, (n,)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    meant = np.asarray(pc.is_in(batch["labels"].flatten(), pa.array(sorted(labels[name]))))
    owner = pc.list_parent_indices(batch["labels"]).to_numpy()
    values = batch["fractions"].flatten().to_numpy()
    share: NDArray[np.float64] = np.bincount(owner[meant], values[meant], batch.num_rows).astype(np.float64)
    return share


def _footprints(column: pa.Array, rows: NDArray[np.intp]) -> NDArray[np.object_]:
    footprints: NDArray[np.object_] = shapely.from_wkb(column.take(rows).to_numpy(zero_copy_only=False))
    return footprints
