"""A query vector and conditions -> the nearest tiles, exactly: filter first, then rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeAlias

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
from ..store.vectors import EncoderInfo, to_numpy
from .dot import dots_at, exact_dots_at
from .ivf import IvfIndex
from .nms import suppress_overlaps
from .probability import ProbabilityModel
from .results import HIT_COLUMNS, Answer, Hit, Plan, TakeRows, hit_from_record, pixel_reader
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
    rule = (
        None
        if probability_model is None
        else _ProbabilityRule.of(probability_model, min_probability, exact=index is None)
    )

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


@dataclass(frozen=True, slots=True)
class _ProbabilityRule:
    """What a ranking does about probabilities: it leaves out tiles below the least, and finds the most probable one.

    Attributes:
        probability_model: of what was asked for.
        least: the least probability of a hit; None: any.
        best: the tile that is most like what was asked for, beside the background; None: it is not looked for.
    """

    probability_model: ProbabilityModel
    least: float | None
    best: TopK | None

    @classmethod
    def of(cls, probability_model: ProbabilityModel, least: float | None, *, exact: bool) -> Self:
        """Make it for a ranking; one that is not exact does not meet every tile."""
        rule = cls(probability_model, least or None, None)
        return replace(rule, best=TopK(rule.direction, 1, None)) if exact else rule

    @property
    def direction(self) -> NDArray[np.float64]:
        """The unit vector (dim,) that the best tile is nearest to."""
        direction: NDArray[np.float64] = self.probability_model.directions[0]
        return direction / np.linalg.norm(direction)

    def rows(self, batch: TileBatch, piece: slice) -> Rows | None:
        """Take the rows (n,) of a piece that are probable enough; None: all."""
        if self.least is None:
            return None
        products = exact_dots_at(*batch.locate(piece), self.probability_model.directions)
        return np.flatnonzero(self.probability_model.of_products(products) >= self.least)


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
    rule: _ProbabilityRule | None,
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


def rank_tiles(
    source: TileSource,
    snapshot: Snapshot,
    filter: Filter,
    topk: TopK,
    offsets: Offsets = None,
    rule: _ProbabilityRule | None = None,
) -> Plan:
    """Rank the tiles of a source that pass a filter."""
    if rule is not None and rule.best is not None:
        rule.best.clear()
    scanned = matched = unembedded = 0
    for batch in source.batches(filter, ("category",) if offsets else ()):
        scanned += batch.read
        matched += len(batch.positions)
        unembedded += batch.unembedded
        _push_batch(batch, offsets, topk, rule)
    return Plan(source.method, True, snapshot.count(), scanned, matched, unembedded)


def _push_batch(batch: TileBatch, offsets: Offsets, topk: TopK, rule: _ProbabilityRule | None) -> None:
    row_offsets, best = None, None if rule is None else rule.best
    if offsets:
        names, codes = batch.categories()
        row_offsets = np.array([offsets.get(name, 0.0) for name in names])[codes]
    queries = np.array([topk.query_f32, *([] if best is None else [best.query_f32])])
    for piece in batch.pieces() if topk.keeps_all else [slice(0, len(batch.positions))]:
        products, *others = dots_at(*batch.locate(piece), queries)
        if best is not None:
            _push_piece(batch, piece.start, None, others[0], None, best)
        kept = None if rule is None else rule.rows(batch, piece)
        adjusted = None if row_offsets is None else row_offsets[piece]
        if kept is not None:
            products, adjusted = products[kept], None if adjusted is None else adjusted[kept]
        _push_piece(batch, piece.start, kept, products, adjusted, topk)


def _push_piece(
    batch: TileBatch, start: int, kept: Rows | None, products: NDArray[np.float32],
    offsets: NDArray[np.float64] | None, topk: TopK,
) -> None:  # fmt: skip
    """Push a piece of a batch, or the rows of it that are kept; all but the products is read only where needed."""

    def within(some: Rows) -> Rows:
        return (some if kept is None else kept[some]) + start

    topk.push_scored(
        products,
        lambda some: batch.vectors(within(some)),
        lambda some: batch.rowids(within(some)),
        lambda some: batch.ids(within(some)),
        offsets,
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
