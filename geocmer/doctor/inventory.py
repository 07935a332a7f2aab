"""One look at every row of a store: which tile lacks what it should have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..store import mmap_cache
from ..store.lance import spoken
from ..store.snapshot import Snapshot
from ..store.vectors import UNIT_TOLERANCE, halves


@dataclass(frozen=True)
class Census:
    """What was found, in storage order of the n rows; about 50 bytes of memory for each.

    Attributes:
        ids: (n,) 32 bytes.
        rowids: (n,) `_rowid`.
        scenes: (n,) index in `names`.
        embedded: (n,) True where there is a vector.
        right: (n,) True where it is finite and of unit length.
        names: ids of the scenes.
        unlike: how many rows of the sidecar are not those of the table.
    """

    ids: NDArray[np.bytes_]
    rowids: NDArray[np.uint64]
    scenes: NDArray[np.int32]
    embedded: NDArray[np.bool_]
    right: NDArray[np.bool_]
    names: list[str]
    unlike: int

    @classmethod
    def of(cls, snapshot: Snapshot) -> Census:
        """Read ids and vectors once.

        Raises:
            StoreError: a file of the store is missing or damaged.
        """
        column = snapshot.encoder.column if snapshot.encoder else None
        copy = mmap_cache.fresh(snapshot)
        codes: dict[str, int] = {}
        parts: list[tuple[NDArray[Any], ...]] = [
            (np.empty(0, "S32"), np.empty(0, "u8"), np.empty(0, "i4"), np.empty(0, bool), np.empty(0, bool))
        ]
        at = unlike = 0
        with spoken(snapshot.path, "read"):
            for batch in snapshot.scan(["id", "scene_id", *([column] if column else [])]):
                ids, rowids = np.array(batch["id"].to_pylist(), "S32"), batch["_rowid"].to_numpy().copy()
                owners = [codes.setdefault(name, len(codes)) for name in batch["scene_id"].to_pylist()]
                embedded = right = np.zeros(len(ids), bool)
                if column:
                    vectors, embedded = halves(batch[column])
                    right = embedded & _are_unit(vectors)
                    if copy is not None:
                        rows = slice(at, at + len(ids))
                        same = (copy.ids[rows] == ids) & (copy.rowids[rows] == rowids)
                        same &= copy.embedded[rows] == embedded
                        same &= (copy.vectors[rows].view("u2") == vectors.view("u2")).all(axis=1) | ~embedded
                        unlike += int((~same).sum())
                parts.append((ids, rowids, np.array(owners, "i4"), embedded, right))
                at += len(ids)
        ids, rowids, scenes, embedded, right = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return cls(ids, rowids, scenes, embedded, right, list(codes), unlike)

    @cached_property
    def doubles(self) -> NDArray[np.intp]:
        """Rows whose id another row has too; of each id, the best one (with a right vector, then the first) is left."""
        order = np.lexsort((np.arange(len(self.ids)), ~self.right, self.ids))
        again = self.ids[order[1:]] == self.ids[order[:-1]]
        return np.sort(order[1:][again])


def _are_unit(vectors: NDArray[np.float16]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore", over="ignore"):
        unit: NDArray[np.bool_] = np.abs(np.linalg.norm(vectors.astype(np.float32), axis=1) - 1) <= UNIT_TOLERANCE
    return unit
