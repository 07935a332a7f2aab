"""How well every tile shows the concepts of a query, from the memory-mapped cache or, with equal bits, from LanceDB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..search.dot import exact_dots, quantize_queries
from ..search.vector_search import NUMBA_MIN_ROWS
from ..store.filter import Filter
from ..store.mmap_cache import MmapCache, cache_for
from ..store.scan import matches
from ..store.schema import EXTENT
from ..store.snapshot import Snapshot
from ..store.vectors import EncoderInfo, to_numpy

SAMPLE_TILES = 8192
"""Tiles that a sample holds, or a few more or less; all of them where there are no more."""
MAX_CACHED_FOOTPRINTS = 16_384
"""Footprints held in memory, about 15 MB."""


@dataclass(frozen=True)
class TileScores:
    """The embedded tiles of a period, in storage order.

    Attributes:
        rowids: (n,) `_rowid`.
        ids: (n,) 32 bytes.
        extents: (n, 4) unwrapped.
        products: (c, n) with the queries, exact.
        sample: (m, dim) vectors of tiles drawn by their ids, so that the same tiles give the same sample.
        read: tiles of the period, embedded or not.
        method: how they were read.
    """

    rowids: NDArray[np.uint64] = field(repr=False)
    ids: NDArray[np.bytes_] = field(repr=False)
    extents: Float64s = field(repr=False)
    products: Float64s = field(repr=False)
    sample: NDArray[np.float16] = field(repr=False)
    read: int
    method: str
    _read_shapes: Callable[[Rows], NDArray[np.object_]] = field(repr=False)
    _select: Callable[[Filter], tuple[NDArray[np.bool_], int]] = field(repr=False)
    _shapes: dict[int, Any] = field(default_factory=dict, repr=False)

    def footprints(self, rows: Rows) -> NDArray[np.object_]:
        """Read outlines of these tiles, their corners in shapely's normal order; those asked for last are kept."""
        if len(self._shapes) > MAX_CACHED_FOOTPRINTS:
            self._shapes.clear()
        missing = np.array(sorted(set(rows.tolist()) - self._shapes.keys()), np.intp)
        if len(missing):
            shapes = shapely.normalize(self._read_shapes(missing))
            self._shapes.update(zip(missing.tolist(), shapes, strict=True))
        found = np.empty(len(rows), object)
        found[:] = [self._shapes[row] for row in rows.tolist()]
        return found

    def hit_mask(self, filter: Filter) -> tuple[NDArray[np.bool_], int]:
        """Tell which tiles meet a filter, (n,), and how many that meet it have no vector.

        Args:
            filter: no wider than the period.
        """
        return self._select(filter)


def score_tiles(snapshot: Snapshot, period: Filter, queries: Float64s) -> TileScores:
    """Read the tiles of a period and compute their products with the queries.

    Args:
        snapshot: of a store with vectors.
        period: a filter by dates alone, or by nothing.
        queries: (c, dim), no longer than 4.

    Raises:
        StoreError: there are no vectors yet.
    """
    copy = cache_for(snapshot, period)
    if copy is not None:
        return _from_cache(copy, period, quantize_queries(queries))
    return _from_lance(snapshot, snapshot.require_encoder(), period, quantize_queries(queries))


def _from_cache(copy: MmapCache, period: Filter, queries: Float64s) -> TileScores:
    found, _ = copy.select(period)
    rows = found[copy.embedded[found]]
    whole = len(rows) == len(copy.ids)  # then nothing needs copying
    ids, extents = (copy.ids, copy.extents) if whole else (copy.ids[rows], copy.extents[rows])
    keys = _sample_keys(ids)
    chosen = np.flatnonzero(keys <= _sample_threshold(len(found)))
    products = [np.empty((len(queries), 0))]
    drawn = [np.empty((0, queries.shape[1]), np.float16)]
    start = 0
    for some in copy.pieces(rows):
        if len(rows) >= NUMBA_MIN_ROWS:
            from ..search.dot_numba import exact_row_dots

            products.append(exact_row_dots(copy.vectors, some, queries))
        else:
            products.append(exact_dots(copy.vectors[some], queries))
        within = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, start + len(some))]
        drawn.append(copy.vectors[rows[within]])
        start += len(some)

    def select(filter: Filter) -> tuple[NDArray[np.bool_], int]:
        matching, _ = copy.select(filter)
        mask = np.zeros(len(copy.ids), bool)
        mask[matching] = True
        return mask[rows], int((~copy.embedded[matching]).sum())

    return TileScores(
        rowids=copy.rowids if whole else copy.rowids[rows],
        ids=ids,
        extents=extents,
        products=np.concatenate(products, axis=1),
        sample=np.concatenate(drawn)[np.argsort(keys[chosen], kind="stable")],
        read=len(found),
        method="memory-mapped cache",
        _read_shapes=lambda some: copy.footprints(rows[some]),
        _select=select,
    )


def _from_lance(snapshot: Snapshot, info: EncoderInfo, period: Filter, queries: Float64s) -> TileScores:
    where = period.prefilter(lambda: snapshot.max_tile_extent)
    read = snapshot.count(where)
    rowids, ids = [np.empty(0, np.uint64)], [np.empty(0, "S32")]
    extents, products = [np.empty((0, 4))], [np.empty((len(queries), 0))]
    drawn, keys = [np.empty((0, info.dim), np.float16)], [np.empty(0, np.uint64)]
    for batch in snapshot.scan(["id", *EXTENT, info.column], where):
        vectors, embedded = to_numpy(batch[info.column])
        if not embedded.all():
            vectors, batch = vectors[embedded], batch.filter(embedded)  # noqa: PLW2901
        rowids.append(batch["_rowid"].to_numpy().copy())  # a view would keep the whole batch
        ids.append(np.array(batch["id"].to_pylist(), "S32"))
        extents.append(np.column_stack([batch[name].to_numpy() for name in EXTENT]))
        products.append(exact_dots(vectors, queries))
        key = _sample_keys(ids[-1])
        some = key <= _sample_threshold(read)
        drawn.append(vectors[some])
        keys.append(key[some])
    every = np.concatenate(rowids)

    def footprints(rows: Rows) -> NDArray[np.object_]:
        shapes: NDArray[np.object_] = shapely.from_wkb(snapshot.take(every[rows], ["geometry"])["geometry"].to_numpy())
        return shapes

    def select(filter: Filter) -> tuple[NDArray[np.bool_], int]:
        if filter == period:
            return np.ones(len(every), bool), read - len(every)
        found = [batch["_rowid"].to_numpy().copy() for _, batch in matches(snapshot, filter, ("id",))]
        matching = np.concatenate([np.empty(0, np.uint64), *found])
        mask = np.isin(every, matching)
        return mask, len(matching) - int(mask.sum())

    return TileScores(
        rowids=every,
        ids=np.concatenate(ids),
        extents=np.concatenate(extents),
        products=np.concatenate(products, axis=1),
        sample=np.concatenate(drawn)[np.argsort(np.concatenate(keys), kind="stable")],
        read=read,
        method="LanceDB scan",
        _read_shapes=footprints,
        _select=select,
    )


def _sample_keys(ids: NDArray[np.bytes_]) -> NDArray[np.uint64]:
    """Compute a number of 64 bits for each id: the mixing of SplitMix64 (Steele et al., 2014) over its words."""
    words = np.ascontiguousarray(ids).view("<u8").reshape(-1, 4)
    mixed = np.zeros(len(words), np.uint64)
    for word in words.T:
        mixed += word
        mixed += np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed ^= mixed >> np.uint64(shift)
            mixed *= np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _sample_threshold(n: int) -> np.uint64:
    """Compute the largest key that is drawn of n tiles."""
    return np.uint64(min(SAMPLE_TILES * 2**64 // max(n, 1), 2**64 - 1))
