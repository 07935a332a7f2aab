"""An inverted-file index of the vectors, for answers that may miss a hit: used on request only, its recall measured.

LanceDB keeps it (IVF with RaBitQ codes, 80 bytes a tile at 384 dimensions). It proposes candidates; the stored vectors
of these decide, by the same arithmetic as in an exact search, so a score never differs, only a hit may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from ..store.scan import RowReader
from ..store.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

METADATA_KEY = "geocmer:ivf"
"""In the metadata of the `tiles` table."""
INDEX_MIN_TILES = 100_000
"""With fewer tiles an exact search is as quick, and the index is left alone."""
ALL_PARTITIONS = 1 << 20
"""More than an index has; LanceDB looks into those that there are."""


@dataclass(frozen=True, slots=True)
class IvfIndex:
    """How an index is read, and the recall that was measured.

    Attributes:
        column: of the vectors that are indexed.
        probes: partitions that are looked into, where no condition narrows the search; else all are.
        candidates: for each hit asked for.
        recall: share of the true ten best that were found, the mean over queries.
        queries: how many queries it was measured with.
    """

    column: str
    probes: int
    candidates: int
    recall: float
    queries: int

    def to_json(self) -> str:
        """Write it as the metadata of the table holds it."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, snapshot: Snapshot) -> Self | None:
        """Read the index of the store's current vectors; None where there is none, or none that was measured."""
        text = (snapshot.dataset.schema.metadata or {}).get(METADATA_KEY.encode())
        found = cls(**json.loads(text)) if text else None
        if found is None or snapshot.encoder is None or found.column != snapshot.encoder.column:
            return None
        indexed = any(index.field_names == [found.column] for index in snapshot.dataset.describe_indices())
        return found if indexed else None

    def reader(self, snapshot: Snapshot, query: NDArray[np.float64], limit: int, exhaustive: bool) -> RowReader:
        """Make a reader of the `limit` rows that seem nearest to a query among those that a filter lets through.

        Args:
            snapshot: the version read.
            query: (dim,) of unit length.
            limit: rows.
            exhaustive: look into every partition.
        """

        def nearest_rows(columns: list[str], where: pc.Expression | None) -> Iterator[pa.RecordBatch]:
            nearest = {"column": self.column, "q": query.astype(np.float32), "k": limit, "metric": "dot"}
            nearest["nprobes"] = ALL_PARTITIONS if exhaustive else self.probes
            scanner = snapshot.dataset.scanner(
                [*columns, "_distance"], filter=where, nearest=nearest, prefilter=True, with_row_id=True
            )
            yield from scanner.to_batches()

        return nearest_rows
