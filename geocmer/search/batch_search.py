"""Many query vectors -> the nearest tiles of each, in one pass over the vectors, with the answers of one search each.

The pass finds which tiles may be among the best (`batch_candidates`); which are is decided by the sums in float64 of a
single search, so that the scores are equal to the last bit. What answers have in common is done once for some of them:
which tiles show one place, and reading the rows of hits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s
from ..store.filter import EVERY_TILE, Filter
from ..store.snapshot import Snapshot
from ..store.store import Store
from ..store.tile_source import TileBatch, TileSource, choose_source
from .batch_candidates import Candidates
from .nms import count_hidden, first_limit, is_enough, nms_mask, suppress_overlaps
from .probability import ProbabilityModel
from .ranking import rank_tiles
from .results import HIT_COLUMNS, PAGE_HITS, Answer, Plan, pixel_reader
from .shared_rows import SharedRows
from .topk import TopK, TopKOfEach
from .vector_search import check_k, probabilities_of, unit_query

Hits: TypeAlias = tuple[NDArray[np.uint64], Float64s]
"""Row ids and scores, best first."""
BLOCK_ROWS = 256
"""Candidates whose products are summed in float64 at once: they stay in the processor's cache."""
SHARED_HITS = 2000
"""Hits of some answers that are read together: 8 MB with their thumbnails."""


def nearest_tiles_of_each(
    store: Store,
    vectors: Sequence[NDArray[np.floating[Any]]],
    probability_models: Sequence[ProbabilityModel | None] | None = None,
    *,
    filter: Filter = EVERY_TILE,
    k: int = 10,
    min_score: float | None = None,
    keep: Literal["best"] | None = None,
) -> Iterator[Answer]:
    """Find the `k` tiles nearest to each of many vectors, in their order; see `nearest_tiles`, also for the arguments.

    The pass over the vectors is made before the first answer. Memory is flat: a block of vectors and its products, and
    the best few of each query. Hits are read with those of the next answers, when they are first looked at.

    Raises:
        StoreError: the store has no vectors yet.
        InputError: as `nearest_tiles`.
    """
    if not vectors:
        return
    snapshot = store.snapshot()
    info = snapshot.require_encoder()
    queries = np.array([unit_query(vector, info) for vector in vectors])
    limit = first_limit(check_k(k), keep)
    source = choose_source(snapshot, filter)
    best = TopKOfEach(queries, limit, min_score)
    plan = _rank_all(source, snapshot, filter, best)
    ranked = _Ranked(snapshot, source, filter, best, plan, k, min_score, keep)
    models, read_pixels = probability_models or [None] * len(vectors), pixel_reader(store)
    together = max(1, SHARED_HITS // min(k, PAGE_HITS))
    for first in range(0, len(vectors), together):
        found = ranked.kept(range(first, min(first + together, len(vectors))))
        first_hits = [rowids[:PAGE_HITS] for _, rowids, _ in found]
        rows, stored = (SharedRows(snapshot, first_hits, columns) for columns in (HIT_COLUMNS, [info.column]))
        for place, (plan, rowids, scores) in enumerate(found):
            vector, model = vectors[first + place], models[first + place]
            known = probabilities_of(snapshot, rowids, model, stored.of(place)) if model else None
            yield Answer(
                plan, snapshot, rowids, scores, read_pixels=read_pixels, vector=vector, probabilities=known,
                take=rows.of(place),
            )  # fmt: skip


def _rank_all(source: TileSource, snapshot: Snapshot, filter: Filter, best: TopKOfEach) -> Plan:
    """Push the tiles of a source that pass a filter to the rankings of all queries."""
    scanned = matched = unembedded = 0
    for batch in source.batches(filter):
        scanned += batch.read
        matched += len(batch.positions)
        unembedded += batch.unembedded
        _push_batch(batch, best)
    return Plan(source.method, True, snapshot.count(), scanned, matched, unembedded)


def _push_batch(batch: TileBatch, best: TopKOfEach) -> None:
    """Find the candidates of all queries, and let their sums in float64 decide between them."""
    owners, rows = Candidates(best, batch).find()
    unique, at = np.unique(rows, return_inverse=True)
    rowids, ids = batch.rowids(unique), batch.ids(unique)
    scores = np.empty(len(rows))
    for start in range(0, len(rows), BLOCK_ROWS):
        some = slice(start, start + BLOCK_ROWS)
        scores[some] = (batch.vectors(rows[some]).astype(np.float64) * best.queries[owners[some]]).sum(axis=1)
    best.push_exact(owners, scores, rowids[at], ids[at])


@dataclass(frozen=True, slots=True)
class _Ranked:
    """The rankings of all queries, of which answers are made."""

    snapshot: Snapshot
    source: TileSource
    filter: Filter
    best: TopKOfEach
    plan: Plan
    k: int
    min_score: float | None
    keep: Literal["best"] | None

    def kept(self, numbers: range) -> list[tuple[Plan, NDArray[np.uint64], Float64s]]:
        """Take the k best hits of some queries that follow each other, one for each place; row ids and scores, (n,)."""
        edges = self.best.edges[numbers.start : numbers.stop + 1]
        rowids, scores = self.best.rowids[edges[0] : edges[-1]], self.best.scores[edges[0] : edges[-1]]
        alone = np.ones(len(rowids), bool)
        if self.keep:
            alone = nms_mask(self.snapshot, rowids, owners=self.best.owners[edges[0] : edges[-1]])
        found = []
        for number, (start, stop) in zip(numbers, pairwise((edges - edges[0]).tolist()), strict=True):
            hits, kept = (rowids[start:stop], scores[start:stop]), np.flatnonzero(alone[start:stop])[: self.k]
            if not len(kept) or (self.keep and not is_enough(kept, stop - start, self.k, self.best.k)):
                rank = partial(self._rank, number, hits)
                hits, kept, hidden = suppress_overlaps(self.snapshot, self.filter, rank, self.k, self.keep)
            else:
                hidden = count_hidden(kept, stop - start, self.k)
            plan = self.plan if hidden == self.plan.hidden else replace(self.plan, hidden=hidden)
            found.append((plan, hits[0][kept], hits[1][kept]))
        return found

    def _rank(self, number: int, hits: Hits, count: int | None) -> tuple[NDArray[np.uint64], Hits]:
        """Rank again for more, as too many of the first hits show the same places."""
        if count != self.best.k:
            topk = TopK(self.best.queries[number], count, self.min_score)
            rank_tiles(self.source, self.snapshot, self.filter, topk)
            hits = topk.ranked()
        return hits[0], hits
