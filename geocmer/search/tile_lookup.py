"""Tiles by their ids, as hits that nothing ranked."""

from __future__ import annotations

from collections.abc import Iterable

from ..store.snapshot import Snapshot
from .results import HIT_COLUMNS, Hit, ReadPixels, hit_from_record

MAX_IDS = 2000
"""Ids in one filter; more are asked for in turns."""


def find_tiles(snapshot: Snapshot, ids: Iterable[str], read_pixels: ReadPixels | None = None) -> dict[str, Hit]:
    """Read tiles by their ids, with their thumbnails; those that the store lacks are left out.

    Args:
        snapshot: of the store.
        ids: of the tiles, whole.
        read_pixels: see `Hit`.
    """
    from pyarrow.compute import field

    distinct, found = sorted(set(ids)), dict[str, Hit]()
    for start in range(0, len(distinct), MAX_IDS):
        for batch in snapshot.scan(HIT_COLUMNS, field("id").isin(distinct[start : start + MAX_IDS])):
            for record in batch.to_pylist():
                found[record["id"]] = hit_from_record(record, 1, None, snapshot.uris, read_pixels)
    return found
