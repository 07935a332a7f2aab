"""The rows of a store that meet a filter, a batch at a time: Lance reads what may match, the filter decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

from .filter import Filter
from .schema import EXTENT
from .snapshot import Snapshot
from .tile_columns import NO_TIME

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

RowReader: TypeAlias = "Callable[[list[str], pc.Expression | None], Iterator[pa.RecordBatch]]"
"""Columns and a coarse filter -> rows."""


def matches(
    snapshot: Snapshot,
    filter: Filter,
    columns: Sequence[str],
    reader: RowReader | None = None,
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the rows that truly match, with their `_rowid`, each batch behind the number of rows read for it.

    Args:
        snapshot: the version read.
        filter: what must hold.
        columns: to read.
        reader: of the rows; by default all of the snapshot.

    Raises:
        InputError: the filter names a land-cover class that no tile has.
    """
    names = dict.fromkeys(columns) | dict.fromkeys(_needed(filter))
    labels = snapshot.labels if filter.condition is not None and filter.condition.classes else frozenset()
    for batch in (reader or snapshot.scan)(list(names), filter.prefilter(lambda: snapshot.max_tile_extent)):
        rows = filter.passing(BatchColumns(batch, labels), np.arange(batch.num_rows))
        yield batch.num_rows, batch if len(rows) == batch.num_rows else batch.take(rows)


@dataclass(frozen=True, slots=True)
class BatchColumns:
    """What a filter reads of an Arrow batch of tiles; see `TileColumns`."""

    batch: pa.RecordBatch
    known: frozenset[str]
    """Every land-cover label in the store."""

    def category_codes(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.int32], list[str | None]]:  # noqa: D102
        column = self.batch["category"].dictionary_encode()
        names: list[str | None] = [*column.dictionary.to_pylist(), None]
        codes: NDArray[np.int32] = column.indices.fill_null(len(names) - 1).to_numpy()
        return codes[rows], names

    def of_scenes(self, scenes: frozenset[str], rows: NDArray[np.intp]) -> NDArray[np.bool_]:  # noqa: D102
        import pyarrow as pa
        import pyarrow.compute as pc

        among = pc.is_in(self.batch["scene_id"], pa.array(sorted(scenes), pa.string()))
        return among.to_numpy(zero_copy_only=False)[rows]

    def times(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:  # noqa: D102
        times: NDArray[np.int64] = self.batch["datetime"].cast("int64").fill_null(NO_TIME).to_numpy()
        return times[rows]

    def gsds(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:  # noqa: D102
        gsds: NDArray[np.float32] = self.batch["gsd"].to_numpy(zero_copy_only=False)
        return gsds[rows]

    def sizes(self, rows: NDArray[np.intp]) -> NDArray[np.int32]:  # noqa: D102
        sizes: NDArray[np.int32] = self.batch["size"].to_numpy(zero_copy_only=False)
        return sizes[rows]

    def have_land_cover(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:  # noqa: D102
        return np.asarray(self.batch["labels"].is_valid())[rows]

    def labels(self) -> frozenset[str]:  # noqa: D102
        return self.known

    def share(self, labels: frozenset[str], rows: NDArray[np.intp]) -> NDArray[np.float64]:  # noqa: D102
        import pyarrow as pa
        import pyarrow.compute as pc

        meant = np.asarray(pc.is_in(self.batch["labels"].flatten(), pa.array(sorted(labels))))
        owner = pc.list_parent_indices(self.batch["labels"]).to_numpy()
        values = self.batch["fractions"].flatten().to_numpy()
        share: NDArray[np.float64] = np.bincount(owner[meant], values[meant], self.batch.num_rows).astype(np.float64)
        return share[rows]

    def extents_of(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:  # noqa: D102
        return np.column_stack([self.batch[name].to_numpy() for name in EXTENT])[rows]

    def footprints(self, rows: NDArray[np.intp]) -> NDArray[np.object_]:  # noqa: D102
        column = self.batch["geometry"].take(rows).to_numpy(zero_copy_only=False)
        footprints: NDArray[np.object_] = shapely.from_wkb(column)
        return footprints


def _needed(filter: Filter) -> tuple[str, ...]:
    """Return the columns that a filter reads."""
    named = filter.condition.attributes if filter.condition is not None else frozenset()
    needed: tuple[str, ...] = ()
    if filter.area is not None or "geometry" in named:
        needed += (*EXTENT, "geometry")
    if filter.condition is not None and filter.condition.classes:
        needed += ("labels", "fractions")
    if filter.scenes is not None:
        needed += ("scene_id",)
    if filter.category is not None or "category" in named:
        needed += ("category",)
    if filter.since or filter.until or "datetime" in named:
        needed += ("datetime",)
    if "size" in named:
        needed += ("size",)
    return (*needed, "gsd") if filter.gsd or "gsd" in named else needed
