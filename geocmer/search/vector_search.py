"""A query vector and conditions -> the nearest tiles, exactly: filter first, then rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..store.filter import EVERY_TILE, Filter
from ..store.lance_source import LanceSource
from ..store.scan import matches
from ..store.snapshot import Snapshot
from ..store.store import Store
from ..store.tile_source import choose_source
from ..store.vectors import EncoderInfo, to_numpy
from .ivf import IvfIndex
from .nms import suppress_overlaps
from .probability import ProbabilityModel
from .ranking import Offsets, ProbabilityRule, rank_tiles
from .results import HIT_COLUMNS, Answer, Hit, Plan, TakeRows, hit_from_record, pixel_reader
from .topk import TopK


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
    probability_model: ProbabilityModel | None = None,
    min_probability: float | None = None,
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
        probability_model: how probably tiles show what was asked for; it does not change their order.
        min_probability: the least probability of a hit, which needs `probability_model`.

    Raises:
        FingerprintError: `fingerprint` is not the store's.
        StoreError: the store has no vectors yet.
        InputError: `k` < 1, a vector of another length, zero or not finite, a condition on a category or class that no
            tile has, an offset that is not finite.
    """
    _require_finite(category_offsets or {})
    snapshot = store.snapshot()
    query, k = unit_query(vector, snapshot.require_encoder(fingerprint)), check_k(k)
    if index is not None and (k is None or keep == "newest"):
        raise InputError("an approximate search ends after k hits, the best first; give k, or search exactly")
    source = None if index else choose_source(snapshot, filter)
    rule = None
    if probability_model is not None:
        rule = ProbabilityRule.of(probability_model, min_probability, exact=index is None)

    def rank(limit: int | None) -> tuple[NDArray[np.uint64], Answer]:
        topk = TopK(query, limit, min_score)
        if index is not None and limit is not None:
            plan = _rank_indexed(snapshot, filter, category_offsets, topk, rule, index, limit)
        else:
            plan = rank_tiles(source or LanceSource(snapshot), snapshot, filter, topk, category_offsets, rule)
        rowids, scores = topk.ranked()
        return rowids, Answer(plan, snapshot, rowids, scores)

    ranked, kept, hidden = suppress_overlaps(snapshot, filter, rank, k, keep)
    plan, rowids = replace(ranked.plan, hidden=hidden), ranked.rowids[kept]
    answer = Answer(plan, snapshot, rowids, ranked.scores[kept], read_pixels=pixel_reader(store))
    if probability_model is None or rule is None:
        return answer

    def likeliest() -> float:
        best = rule.best
        if best is None:
            rank_tiles(choose_source(snapshot, filter), snapshot, filter, best := TopK(rule.direction, 1, None))
        p = probabilities_of(snapshot, best.rowids, probability_model)(slice(0, 1))
        return float(p[0]) if len(p) else 0.0

    return replace(answer, probabilities=probabilities_of(snapshot, rowids, probability_model), likeliest=likeliest)


def probabilities_of(
    snapshot: Snapshot, rowids: NDArray[np.uint64], probability_model: ProbabilityModel, take: TakeRows | None = None
) -> Callable[[slice], NDArray[np.float64]]:
    """Return what computes the probabilities (m,) of a page of hits, from the memory-mapped cache if it is open."""
    column = snapshot.require_encoder().column

    def probabilities(page: slice) -> NDArray[np.float64]:
        if (cache := snapshot.mmap_cache) is not None:
            return probability_model.of_vectors(cache.vectors[cache.rows_of(rowids[page])])
        vectors, _ = to_numpy((take or snapshot.take)(rowids[page], [column])[column].combine_chunks())
        return probability_model.of_vectors(vectors)

    return probabilities


def _rank_indexed(
    snapshot: Snapshot,
    filter: Filter,
    offsets: Offsets,
    topk: TopK,
    rule: ProbabilityRule | None,
    index: IvfIndex,
    k: int,
) -> Plan:
    """Rank what an index proposes, and more of it while too few of that truly match."""
    limit = k * index.candidates
    exhaustive = filter != EVERY_TILE  # a narrow filter may leave nothing in a few partitions
    while True:
        source = LanceSource(snapshot, index.reader(snapshot, topk.query, limit, exhaustive))
        plan = rank_tiles(source, snapshot, filter, topk, offsets, rule)
        if plan.matched >= k or (exhaustive and plan.scanned < limit):
            method = f"IVF index, recall {index.recall:.2f} over {index.queries} queries"
            return replace(plan, method=method, exact=False)
        limit, exhaustive = limit * 4, True
        topk.clear()


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


def unit_query(vector: NDArray[np.floating[Any]], info: EncoderInfo) -> NDArray[np.float64]:
    """Bring a query (dim,) to unit length, float64.

    Raises:
        InputError: it does not fit the encoder, is zero or not finite.
    """
    if vector.shape != (info.dim,):
        raise InputError(f"a query of shape {vector.shape} does not fit {info.title}; it must have shape ({info.dim},)")
    query = vector.astype(np.float64)
    length = float(np.linalg.norm(query))
    if not 0 < length < np.inf:  # also refuses NaN
        raise InputError("the query vector is zero or not finite, so nothing is near it; ask with another text")
    return query / length


def check_k(k: int | None) -> int | None:
    """Refuse to ask for less than a hit.

    Raises:
        InputError: `k` < 1.
    """
    if k is not None and k < 1:
        raise InputError(f"k is {k}; ask for at least 1 hit")
    return k


def _require_finite(offsets: Mapping[str | None, float]) -> None:
    for category, offset in offsets.items():
        if not math.isfinite(offset):
            raise InputError(f"the offset of category {category!r} is {offset}; give a finite number")
