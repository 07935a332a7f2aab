"""One version of a store, as a reader sees it: writers that go on beside it do not disturb what it reads."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FingerprintError, InputError, StoreError
from . import connection
from .schema import EXTENT
from .vectors import EncoderInfo

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

    from .mmap_cache import MmapCache

BATCH_ROWS = 2048
"""Rows of a batch of a scan."""
READ_AHEAD_BYTES = 8 * 2**20
"""Read by Lance ahead of a batch; left to itself it takes 200 MB, and is no faster."""


@dataclass
class Snapshot:
    """The `tiles` table at one version. Made by `Store.snapshot`.

    Attributes:
        path: of the store, for messages.
        dataset: the `tiles` table at `version`, as pylance has it.
        version: of the `tiles` table.
        encoder: the encoder whose vectors answer, or None while nothing is embedded.
        uris: scene id -> where the scene was read.
        historical: whether this is an earlier version, read on purpose, and not the newest.
        mmap_cache: the memory-mapped cache of this version, once it was opened; see `mmap_cache.find_cache`.
    """

    path: str
    dataset: Any = field(repr=False)
    version: int
    encoder: EncoderInfo | None
    uris: dict[str, str] = field(repr=False)
    historical: bool = False
    mmap_cache: MmapCache | None = field(default=None, repr=False, compare=False)

    def require_encoder(self, fingerprint: str | None = None) -> EncoderInfo:
        """Return the encoder whose vectors answer.

        Args:
            fingerprint: of the encoder that asks, if another one is to be refused.

        Raises:
            StoreError: there are no vectors yet.
            FingerprintError: the vectors are another encoder's.
        """
        if self.encoder is None:
            raise StoreError(f"the store {self.path} holds no vectors yet; run `geocmer embed --store {self.path}`")
        if fingerprint is not None and fingerprint != self.encoder.fingerprint:
            raise FingerprintError(
                f"the store {self.path} was built with {self.encoder.title}, not by the encoder that "
                f"asks ({fingerprint[:8]}); ask with that one, or re-embed: "
                f"`geocmer embed --model MODEL --store {self.path}`"
            )
        return self.encoder

    def count(self, where: pc.Expression | None = None) -> int:
        """Count the rows that a filter (see `Filter.prefilter`) lets through."""
        with self._reading():
            return int(self.dataset.count_rows(where))

    def scan(self, columns: Sequence[str], where: pc.Expression | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows that a filter lets through, in storage order, with their `_rowid`, a batch at a time."""
        scanner = self.dataset.scanner(
            columns=list(columns),
            filter=where,
            with_row_id=True,
            batch_size=BATCH_ROWS,
            batch_readahead=2,
            io_buffer_size=READ_AHEAD_BYTES,
        )
        with self._reading():
            yield from scanner.to_batches()

    def take(self, rowids: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        """Read rows by `_rowid`, in the order asked for (Lance alone returns them in storage order)."""
        among = f"_rowid IN ({', '.join(map(str, rowids.tolist()))})" if len(rowids) else "false"
        with self._reading():
            found = self.dataset.scanner(list(columns), filter=among, with_row_id=True).to_table()
        stored = found["_rowid"].to_numpy()
        order = np.argsort(stored)
        return found.take(order[np.searchsorted(stored, rowids, sorter=order)])

    @cached_property
    def max_tile_extent(self) -> tuple[float, float, float]:
        """Largest width and height of a tile's extent, and the largest `xmax`, in degrees.

        With the widths, indices on `xmin` and `ymin` alone find a box: every tile that reaches into it begins at most
        one tile before it. Read from the table, because one wide tile is enough to break a constant.
        """
        width = height = 0.0
        east = -180.0
        for batch in self.scan(EXTENT):
            xmin, ymin, xmax, ymax = (batch[name].to_numpy() for name in EXTENT)
            width = max(width, float((xmax - xmin).max(initial=0)))
            height = max(height, float((ymax - ymin).max(initial=0)))
            east = max(east, float(xmax.max(initial=-180)))
        return width, height, east

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Tell a version that upkeep cleared meanwhile from a store that cannot be read.

        Raises:
            StoreError: either of them.
        """
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            with connection.translate_errors(self.path, "read"):
                if self.version not in {record["version"] for record in self.dataset.versions()}:
                    raise StoreError(
                        f"version {self.version} of the store {self.path} was cleared while it was read, as another "
                        "process has written much since; run it again"
                    ) from error
                raise

    @cached_property
    def rows_hash(self) -> str:
        """Hash of the data files and deletions of the version, and of the encoder: equal hashes mean equal rows."""
        digest = hashlib.blake2b((self.encoder.fingerprint if self.encoder else "").encode(), digest_size=16)
        for fragment in self.dataset.get_fragments():
            digest.update(json.dumps(fragment.metadata.to_json(), sort_keys=True, default=str).encode())
        return digest.hexdigest()

    @cached_property
    def undated(self) -> int:
        """How many tiles have no acquisition time."""
        from pyarrow.compute import field

        return self.count(field("datetime").is_null())

    @cached_property
    def categories(self) -> frozenset[str]:
        """Every scene category that some tile has."""
        found: set[str | None] = set()
        for batch in self.scan(["category"]):
            found.update(batch["category"].unique().to_pylist())
        return frozenset(name for name in found if name is not None)

    def require_categories(self, names: Sequence[str]) -> None:
        """Explain why no tile was found, if it is for a category.

        Raises:
            InputError: no tile has one of them.
        """
        for name in names:
            if unknown := self.unknown_category(name):
                raise InputError(unknown)

    def unknown_category(self, name: str) -> str:
        """Say that no tile has a category, and which there are; empty if some tile has it."""
        if name in self.categories:
            return ""
        if not self.categories:
            return f"category {name!r} cannot be asked for: no tile has one; tile with --landcover first"
        near = difflib.get_close_matches(name.casefold(), sorted(self.categories), 1, 0.6)
        hint = f"; did you mean {near[0]!r}" if near else ""
        return f"no tile has the category {name!r}{hint}; the store knows: {', '.join(sorted(self.categories))}"

    @cached_property
    def labels(self) -> frozenset[str]:
        """Every land-cover label that some tile has."""
        found: set[str] = set()
        for batch in self.scan(["labels"]):
            found.update(batch["labels"].flatten().unique().to_pylist())
        return frozenset(found)
