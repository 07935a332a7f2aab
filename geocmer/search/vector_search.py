"""A query vector and conditions -> the nearest tiles, exactly: filter first, then rank."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._types import Rows
from ..errors import InputError
from ..store.filter import EVERY_TILE, Filter
from ..store.lance_source import LanceSource
from ..store.scan import matches
from ..store.snapshot import Snapshot
from ..store.store import Store
from ..store.tile_source import TileBatch, TileSource, choose_source
from ..store.vectors import EncoderInfo
from .dot import dots_at
from .ivf import IvfIndex
from .nms import suppress_overlaps
from .results import HIT_COLUMNS, Answer, Hit, Plan, hit_from_record, pixel_reader
from .topk import TopK

Offsets: TypeAlias = Mapping[str | None, float] | None
"""Category -> what is added to the score of its tiles."""


def nearest_tiles(
    store: Store,
    vector: NDArray[np.floating[Any]],
    *,
    filter: Filter = EVERY_TILE,
    k: int | None = 10,
    min_score: float | None = None,
    fingerprint: str | None = None,
    category_offsets: Offsets = None,
    keep: Literal["best", "newest"] | None = None,
    index: IvfIndex | None = None,
) -> Answer:
    """Find the `k` tiles nearest to a vector among those that meet every condition.

    The answer equals brute force over all tiles and is never shorter than min(k, matching tiles). Ties go by id. The
    score of a tile is its cosine with the vector plus the offset of its category.

    Args:
        store: where to look.
        vector: (dim,) of the store's encoder; only its direction counts.
        filter: conditions that every hit meets.
        k: how many at most; None for all.
        min_score: the least score of a hit.
        fingerprint: of the encoder that made `vector`; refused if it is not the store's.
        category_offsets: category -> what is added to the score of its tiles, a soft prior (`category_prior`); None
            stands for tiles without a category, and a category that is not named gets 0.
        keep: one hit for each place, the best or the newest of those that overlap (`nms.nms_mask`; `newest` ranks
            every match first). None keeps all.
        index: takes candidates from this index, so that a hit may be missing. None: exact.

    Raises:
        FingerprintError: `fingerprint` is not the store's.
        StoreError: the store has no vectors yet.
        InputError: `k` < 1, a vector of another length, zero or not finite, a condition on a category or class that no
            tile has, an offset that is not finite.
    """
    _require_finite(category_offsets or {})
    snapshot = store.snapshot()
    query, k = _unit_query(vector, snapshot.require_encoder(fingerprint)), _check_k(k)
    if index is not None and (k is None or keep == "newest"):
        raise InputError("an approximate search ends after k hits, the best first; give k, or search exactly")
    source = None if index else choose_source(snapshot, filter)

    def rank(limit: int | None) -> tuple[NDArray[np.uint64], Answer]:
        topk = TopK(query, limit, min_score)
        if index is not None and limit is not None:
            plan = _rank_indexed(snapshot, filter, category_offsets, topk, index, limit)
        else:
            plan = _rank(source or LanceSource(snapshot), snapshot, filter, category_offsets, topk)
        rowids, scores = topk.ranked()
        return rowids, Answer(plan, snapshot, rowids, scores)

    ranked, kept, hidden = suppress_overlaps(snapshot, rank, k, keep)
    if not len(kept):
        snapshot.require_categories(filter.categories)
    plan = replace(ranked.plan, hidden=hidden)
    return Answer(plan, snapshot, ranked.rowids[kept], ranked.scores[kept], read_pixels=pixel_reader(store))


def _rank_indexed(snapshot: Snapshot, filter: Filter, offsets: Offsets, topk: TopK, index: IvfIndex, k: int) -> Plan:
    """Rank what an index proposes, and more of it while too few of that truly match."""
    limit = k * index.candidates
    exhaustive = filter != EVERY_TILE  # a narrow filter may leave nothing in a few partitions
    while True:
        source = LanceSource(snapshot, index.reader(snapshot, topk.query, limit, exhaustive))
        plan = _rank(source, snapshot, filter, offsets, topk)
        if plan.matched >= k or (exhaustive and plan.scanned < limit):
            method = f"IVF index, recall {index.recall:.2f} over {index.queries} queries"
            return replace(plan, method=method, exact=False)
        limit, exhaustive = limit * 4, True
        topk.clear()


def _rank(source: TileSource, snapshot: Snapshot, filter: Filter, offsets: Offsets, topk: TopK) -> Plan:
    """Rank the tiles of a source that pass a filter."""
    scanned = matched = unembedded = 0
    for batch in source.batches(filter, ("category",) if offsets else ()):
        scanned += batch.read
        matched += len(batch.positions)
        unembedded += batch.unembedded
        _push_batch(batch, offsets, topk)
    return Plan(source.method, True, snapshot.count(), scanned, matched, unembedded)


def _push_batch(batch: TileBatch, offsets: Offsets, topk: TopK) -> None:
    row_offsets = None
    if offsets:
        names, codes = batch.categories()
        row_offsets = np.array([offsets.get(name, 0.0) for name in names])[codes]
    for piece in batch.pieces() if topk.keeps_all else [slice(0, len(batch.positions))]:

        def within(rows: Rows, start: int = piece.start) -> Rows:
            return rows + start

        topk.push_scored(
            dots_at(*batch.locate(piece), topk.query_f32),
            lambda some, within=within: batch.vectors(within(some)),
            lambda some, within=within: batch.rowids(within(some)),
            lambda some, within=within: batch.ids(within(some)),
            None if row_offsets is None else row_offsets[piece],
        )


def iter_tiles(store: Store, filter: Filter = EVERY_TILE) -> Iterator[Hit]:
    """Yield every tile that passes a filter, embedded or not, unranked and in storage order, at flat memory.

    Raises:
        InputError: the filter names a category or a land-cover class that no tile has.
    """
    snapshot = store.snapshot()
    rank, read_pixels = 0, pixel_reader(store)
    for _, batch in matches(snapshot, filter, HIT_COLUMNS):
        for record in batch.to_pylist():
            rank += 1
            yield hit_from_record(record, rank, None, snapshot.uris, read_pixels)
    if not rank:
        snapshot.require_categories(filter.categories)


def _unit_query(vector: NDArray[np.floating[Any]], info: EncoderInfo) -> NDArray[np.float64]:
    """Bring the query to unit length."""
    if vector.shape != (info.dim,):
        raise InputError(f"a query of shape {vector.shape} does not fit {info.title}; it must have shape ({info.dim},)")
    query = vector.astype(np.float64)
    length = float(np.linalg.norm(query))
    if not 0 < length < np.inf:  # also refuses NaN
        raise InputError("the query vector is zero or not finite, so nothing is near it; ask with another text")
    return query / length


def _check_k(k: int | None) -> int | None:
    if k is not None and k < 1:
        raise InputError(f"k is {k}; ask for at least 1 hit")
    return k


def _require_finite(offsets: Mapping[str | None, float]) -> None:
    for category, offset in offsets.items():
        if not math.isfinite(offset):
            raise InputError(f"the offset of category {category!r} is {offset}; give a finite number")
