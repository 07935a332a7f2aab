"""One pass over every row of a store: the ids, scenes and vectors it holds, and whether they are valid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..store import mmap_cache
from ..store.connection import translate_errors
from ..store.snapshot import Snapshot
from ..store.vectors import UNIT_TOLERANCE, to_numpy


@dataclass(frozen=True)
class Inventory:
    """The rows of a version, in storage order; about 50 bytes of memory for each of the n.

    Attributes:
        ids: (n,) 32 bytes.
        rowids: (n,) `_rowid`.
        scenes: (n,) index in `scene_ids`.
        embedded: (n,) True where there is a vector.
        valid: (n,) True where it is finite and of unit length.
        scene_ids: of all scenes that have a row.
        cache_mismatches: how many rows of the memory-mapped cache are not those of the table.
    """

    ids: NDArray[np.bytes_]
    rowids: NDArray[np.uint64]
    scenes: NDArray[np.int32]
    embedded: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    scene_ids: list[str]
    cache_mismatches: int

    @classmethod
    def of(cls, snapshot: Snapshot) -> Inventory:
        """Read ids and vectors once.

        Raises:
            StoreError: a file of the store is missing or damaged.
        """
        column = snapshot.encoder.column if snapshot.encoder else None
        cache = mmap_cache.find_cache(snapshot)
        codes: dict[str, int] = {}
        parts: list[tuple[NDArray[Any], ...]] = [
            (np.empty(0, "S32"), np.empty(0, "u8"), np.empty(0, "i4"), np.empty(0, bool), np.empty(0, bool))
        ]
        start = mismatches = 0
        with translate_errors(snapshot.path, "read"):
            for batch in snapshot.scan(["id", "scene_id", *([column] if column else [])]):
                ids, rowids = np.array(batch["id"].to_pylist(), "S32"), batch["_rowid"].to_numpy().copy()
                numbers = [codes.setdefault(name, len(codes)) for name in batch["scene_id"].to_pylist()]
                embedded = valid = np.zeros(len(ids), bool)
                if column:
                    vectors, embedded = to_numpy(batch[column])
                    valid = embedded & _are_unit(vectors)
                    if cache is not None:
                        rows = slice(start, start + len(ids))
                        same = (cache.ids[rows] == ids) & (cache.rowids[rows] == rowids)
                        same &= cache.embedded[rows] == embedded
                        same &= (cache.vectors[rows].view("u2") == vectors.view("u2")).all(axis=1) | ~embedded
                        mismatches += int((~same).sum())
                parts.append((ids, rowids, np.array(numbers, "i4"), embedded, valid))
                start += len(ids)
        ids, rowids, scenes, embedded, valid = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return cls(ids, rowids, scenes, embedded, valid, list(codes), mismatches)

    @cached_property
    def duplicates(self) -> NDArray[np.intp]:
        """Rows (n,) whose id another row has too, but for the best of each id: with a valid vector, else the first."""
        order = np.lexsort((np.arange(len(self.ids)), ~self.valid, self.ids))
        again = self.ids[order[1:]] == self.ids[order[:-1]]
        return np.sort(order[1:][again])


def _are_unit(vectors: NDArray[np.float16]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore", over="ignore"):
        unit: NDArray[np.bool_] = np.abs(np.linalg.norm(vectors.astype(np.float32), axis=1) - 1) <= UNIT_TOLERANCE
    return unit
