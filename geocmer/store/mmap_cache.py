"""The memory-mapped cache: a copy of what ranking reads, laid out for it, as arrays beside the tables.

It is never the source of truth. Its folder is named after the data files of the one version it was made from, so that
a cache of other rows is not found, and it gets that name only once it is whole. Deleting it loses nothing.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ..geometry.extent import block_bounds
from ..geometry.region import Region
from .areas import boxes
from .connection import is_local
from .filter import Filter
from .mmap_build import ROW_ARRAYS, write_arrays
from .snapshot import Snapshot

FOLDER = "cache"
"""Inside a store; each version of it that has a cache has a folder there."""
CACHE_MIN_ROWS = 50_000
"""A search that reads this many rows and more makes the cache if there is none; below, LanceDB is as fast."""
BLOCK_ROWS = 512
"""Rows whose extents are bounded together: a region is compared with blocks first. Stored rows lie scene by scene."""
MAX_DRAFT_SECONDS = 3600.0
"""A draft that was begun so long ago is not being made any more."""


@dataclass(frozen=True)
class MmapCache:
    """The arrays, all in storage order of the n rows.

    Attributes:
        vectors: (n, dim) float16; zero where a tile is not embedded.
        rowids: (n,) `_rowid`.
        ids: (n,) 32 bytes.
        extents: (n, 4) unwrapped.
        boxes: (n,) True where the footprint is exactly its extent.
        embedded: (n,) True where there is a vector.
        covered: (n,) True where there is land cover.
        categories: (n,) index in `names`; the last name is None.
        moments: (n,) microseconds since 1970, UTC, or `NO_TIME`.
        gsd: (n,) metres.
        size: (n,) grid pixels.
        names: the categories.
        classes: the land-cover labels.
        cover: for each label under each tile: the row, the index in `classes`, the share.
    """

    snapshot: Snapshot = field(repr=False)
    folder: Path
    vectors: NDArray[np.float16] = field(repr=False)
    rowids: NDArray[np.uint64] = field(repr=False)
    ids: NDArray[np.bytes_] = field(repr=False)
    extents: NDArray[np.float64] = field(repr=False)
    boxes: NDArray[np.bool_] = field(repr=False)
    embedded: NDArray[np.bool_] = field(repr=False)
    covered: NDArray[np.bool_] = field(repr=False)
    categories: NDArray[np.int32] = field(repr=False)
    moments: NDArray[np.int64] = field(repr=False)
    gsd: NDArray[np.float32] = field(repr=False)
    size: NDArray[np.int32] = field(repr=False)
    names: list[str | None] = field(repr=False)
    classes: list[str] = field(repr=False)
    cover: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]] = field(repr=False)

    def select(self, filter: Filter) -> tuple[NDArray[np.intp], int]:
        """Return the rows (n,), ascending, that pass a filter, embedded or not; and how many were looked at singly."""
        area = filter.area
        if area is None:
            rows = np.arange(len(self.ids))
        else:
            rows = (np.flatnonzero(self._near(area))[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).ravel()
            rows = rows[: np.searchsorted(rows, len(self.ids))]
        return filter.passing(self, rows), len(rows)

    def category_codes(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.int32], list[str | None]]:
        """See `TileColumns`, as the next ones."""
        return self.categories[rows], self.names

    def of_scenes(self, scenes: frozenset[str], rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """See `TileColumns`; the cache does not hold the scenes, so those of its tiles are read from the store."""
        from pyarrow.compute import field as column

        among = np.zeros(len(self.ids), bool)
        for batch in self.snapshot.scan(["xmin"], column("scene_id").isin(sorted(scenes))):
            among[self.rows_of(batch["_rowid"].to_numpy())] = True
        return among[rows]

    def times(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:  # noqa: D102
        return self.moments[rows]

    def gsds(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:  # noqa: D102
        return self.gsd[rows]

    def sizes(self, rows: NDArray[np.intp]) -> NDArray[np.int32]:  # noqa: D102
        return self.size[rows]

    def have_land_cover(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:  # noqa: D102
        return self.covered[rows]

    def labels(self) -> list[str]:  # noqa: D102
        return self.classes

    def extents_of(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:  # noqa: D102
        return self.extents[rows]

    def rows_of(self, rowids: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Find the rows (n,) with these `_rowid`s (n,), all of which there are."""
        order = self._rowid_order
        rows = np.searchsorted(self.rowids, rowids, sorter=order)
        return rows if order is None else order[rows]

    @cached_property
    def _rowid_order(self) -> NDArray[np.intp] | None:
        """The order of the `_rowid`s; None if they ascend, as they do unless fragments were merged."""
        return None if (np.diff(self.rowids.view(np.int64)) > 0).all() else np.argsort(self.rowids)

    def footprints(self, rows: NDArray[np.intp]) -> NDArray[np.object_]:
        """Return the footprints (n,) of rows (n,); only those that are not their extent are read from the store."""
        found = np.empty(len(rows), object)
        plain = self.boxes[rows]
        found[plain] = shapely.box(*self.extents[rows[plain]].T)
        if not plain.all():
            table = self.snapshot.take(self.rowids[rows[~plain]], ["geometry"])
            found[~plain] = shapely.from_wkb(table["geometry"].to_numpy())
        return found

    @cached_property
    def _blocks(self) -> NDArray[np.float64]:
        return block_bounds(self.extents, BLOCK_ROWS)

    def _near(self, area: Region) -> NDArray[np.bool_]:
        """Return which blocks may hold a tile of the region."""
        xmin, ymin, xmax, ymax = self._blocks.T
        near = np.zeros(len(xmin), bool)
        for west, south, east, north in boxes(area, float(xmax.max(initial=-180))):
            near |= (xmin <= east) & (xmax >= west) & (ymin <= north) & (ymax >= south)
        return near

    @cached_property
    def _columns(self) -> dict[frozenset[str], NDArray[np.float64]]:
        return {}

    def share(self, labels: frozenset[str], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """See `TileColumns`; the same labels are added up once."""
        if labels not in self._columns:
            owner, codes, shares = self.cover
            hit = np.isin(codes, [self.classes.index(label) for label in labels])
            self._columns[labels] = np.bincount(owner[hit], shares[hit], len(self.ids)).astype(np.float64)
        share: NDArray[np.float64] = self._columns[labels][rows]
        return share


def cache_for(snapshot: Snapshot, filter: Filter) -> MmapCache | None:
    """Return the cache, if there is one or making it pays: made once, it saves every wide search from then on."""
    cache = find_cache(snapshot)
    if cache is None and snapshot.count() >= CACHE_MIN_ROWS:
        near = snapshot.count(filter.prefilter(lambda: snapshot.max_tile_extent))
        cache = build_cache(snapshot) if near >= CACHE_MIN_ROWS else None
    return cache


def find_cache(snapshot: Snapshot) -> MmapCache | None:
    """Return the cache of exactly this version, if there is one; the snapshot keeps it open."""
    if snapshot.mmap_cache is None and is_local(snapshot.path) and snapshot.encoder is not None:
        folder = Path(snapshot.path) / FOLDER / snapshot.rows_hash
        if folder.is_dir():
            # Damaged, or cleared by another process meanwhile: as if it were absent.
            with suppress(OSError, ValueError, EOFError):
                snapshot.mmap_cache = _load(snapshot, folder)
    return snapshot.mmap_cache


def build_cache(snapshot: Snapshot) -> MmapCache | None:
    """Make the cache of a version, and clear those of others. None where none can be: nothing depends on it.

    None is made of an earlier version: it would take the place of the newest one's.
    """
    if snapshot.historical or not is_local(snapshot.path) or snapshot.encoder is None or not snapshot.count():
        return None
    place = Path(snapshot.path) / FOLDER
    folder = place / snapshot.rows_hash
    try:
        place.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix=".") as draft:
            whole = Path(draft) / "whole"
            whole.mkdir()
            write_arrays(snapshot, snapshot.encoder, whole)
            if folder.exists():  # found damaged, or made by another process meanwhile
                shutil.rmtree(folder)
            whole.replace(folder)
        for other in place.iterdir():
            if other != folder and not other.name.startswith("."):
                shutil.rmtree(other, ignore_errors=True)
    except OSError:  # a read-only or full disk: searching goes on without
        return None
    return find_cache(snapshot)


def remove_cache(snapshot: Snapshot, cache: MmapCache) -> None:
    """Delete a cache that is found to be wrong; the next wide search makes it anew."""
    snapshot.mmap_cache = None
    shutil.rmtree(cache.folder, ignore_errors=True)


def stale_folders(snapshot: Snapshot) -> list[Path]:
    """List the caches of other versions, damaged ones, and drafts that nobody goes on making."""
    place = Path(snapshot.path) / FOLDER
    if not is_local(snapshot.path) or not place.is_dir():
        return []
    current = find_cache(snapshot)
    others = [folder for folder in sorted(place.iterdir()) if current is None or folder != current.folder]
    return [folder for folder in others if not (folder.name.startswith(".") and _is_young(folder))]


def _is_young(draft: Path) -> bool:
    try:
        return draft.stat().st_mtime > time.time() - MAX_DRAFT_SECONDS
    except FileNotFoundError:  # it has just become whole
        return True


def _load(snapshot: Snapshot, folder: Path) -> MmapCache:
    def read(name: str) -> Any:
        return np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)

    names, classes = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("names", "classes"))
    cover = (read("cover_rows"), read("cover_codes"), read("cover_shares"))
    arrays = {name: read(name) for name in ("vectors", *ROW_ARRAYS)}
    arrays["moments"] = arrays.pop("times")
    return MmapCache(snapshot, folder, **arrays, names=names, classes=classes, cover=cover)
