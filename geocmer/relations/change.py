"""Places that show something at one time and not at another: a relation in time.

With p the calibrated probability that a tile shows a concept (`search.probability`), a tile a of the one time, and b
the tile of the other, of its size (`overlap.same_size`: what covers more ground shows more), that overlaps it most
(`overlap.IOU_THRESHOLD` at least; of several that overlap as much, to a thousandth, as pictures of other dates do, the
one that shows it most),

    score(a) = p(a) - p(b)                  how much more a shows it
    probability(a) = p(a) * (1 - p(b))      that a shows it and b does not

So the answer to what is new holds the later tiles, each with the earlier one as its partner; to what is gone, the
earlier ones with the later. A place that was seen at one of the times only is no hit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..errors import InputError
from ..geometry.neighbors import NeighborIndex
from ..geometry.overlap import IOU_THRESHOLD, intersection_over_union, same_size, to_equal_area
from ..models.text_encoder import Encode
from ..search.nms import suppress_overlaps
from ..search.probability import Calibration
from ..search.results import Answer, Partner, Plan, pixel_reader
from ..search.vector_search import check_k
from ..store.filter import EVERY_TILE, Filter
from ..store.snapshot import Snapshot
from ..store.store import Store
from .partners import make_partners
from .periods import Periods, pair_remark
from .relation_topk import RelationTopK
from .tile_scores import TileScores, score_concepts

NOTED_HITS = 10
"""Hits whose dates and sensors are looked at for a note."""
OVERLAP_DECIMALS = 3
"""Of an intersection over union, in comparing two: footprints of two dates are never equal to the last digit."""
MAX_PAIRS = 100_000
"""Pairs whose footprints are compared at once, about 100 MB."""


@dataclass(frozen=True, slots=True)
class _Both:
    """The tiles of two periods in rows after each other: those that may be hits, then the others."""

    hits: TileScores
    others: TileScores
    rowids: NDArray[np.uint64]
    ids: NDArray[np.bytes_]
    extents: Float64s

    @classmethod
    def of(cls, hits: TileScores, others: TileScores) -> _Both:
        """Join the columns."""
        return cls(
            hits,
            others,
            np.concatenate([hits.rowids, others.rowids]),
            np.concatenate([hits.ids, others.ids]),
            np.concatenate([hits.extents, others.extents]),
        )

    def footprints(self, rows: Rows) -> NDArray[np.object_]:
        """Read outlines, (n,), of the tiles in these rows (n,)."""
        count, found = len(self.hits.rowids), np.empty(len(rows), object)
        first = rows < count
        found[first] = self.hits.footprints(rows[first])
        found[~first] = self.others.footprints(rows[~first] - count)
        return found


@dataclass(frozen=True, slots=True)
class _Changed:
    """The best tiles, best first: rows, scores (k,), and rows of partners (k,)."""

    rows: Rows
    scores: Float64s
    partners: Rows


def find_change(
    store: Store,
    text: str,
    encode: Encode,
    periods: Periods,
    *,
    gone: bool = False,
    filter: Filter = EVERY_TILE,
    k: int | None = 10,
    min_score: float = 0.0,
    keep: Literal["best", "newest"] | None = "best",
    calibration: Calibration | None = None,
) -> Answer:
    """Find the places where something is new, or gone, exactly. Ties go by id.

    Args:
        store: where to look.
        text: what to look for.
        encode: texts -> (n, dim) unit vectors, by the store's encoder.
        periods: the earlier and the later time.
        gone: what the earlier pictures show and the later do not, instead of the reverse.
        filter: conditions that every hit meets; it has no dates.
        k: how many at most; None for all.
        min_score: the least score; hits have more than 0 in any case.
        keep: one hit for each place, as in `nearest_tiles`.
        calibration: of the encoder. None: the tiles of the store are a makeshift, and hits have no probability.

    Raises:
        StoreError: the store has no vectors yet.
        InputError: `k` < 1, the filter has dates, or names a category or class that no tile has.
    """
    if filter.period != (None, None):
        raise InputError("since and until do not go with a change between two times; leave them out")
    snapshot, k = store.snapshot(), check_k(k)
    snapshot.require_encoder()
    first, second = (periods.earlier, periods.later) if gone else (periods.later, periods.earlier)
    vector = encode([text])
    (hits, others), measure = score_concepts(snapshot, (first, second), vector, encode, calibration)
    both = _Both.of(hits, others)
    p = measure.probability(np.concatenate([both.hits.products[0], both.others.products[0]]))
    hit_mask, unembedded = both.hits.hit_mask(replace(filter, since=first.since, until=first.until))

    def rank(most: int | None) -> tuple[NDArray[np.uint64], _Changed]:
        found = _rank(both, p, np.flatnonzero(hit_mask), most, min_score)
        return both.rowids[found.rows], found

    ranked, kept, hidden = suppress_overlaps(snapshot, filter, rank, k, keep)
    rows, partners, scores = ranked.rows[kept], ranked.partners[kept], ranked.scores[kept]
    plan = Plan(
        method=f"{both.hits.method}, then pairs of one place",
        exact=True,
        tiles=snapshot.count(),
        scanned=both.hits.read + both.others.read,
        matched=int(hit_mask.sum()),
        unembedded=unembedded,
        hidden=hidden,
    )
    word = "later" if gone else "earlier"

    def read_partners(page: slice) -> list[tuple[Partner, ...]]:
        found = make_partners(word, rows[page], partners[page], p, both, snapshot)
        remarks = _remarks(snapshot, both.rowids, rows[page], partners[page])
        return [(replace(one, relation=f"{word}, {remark}"),) for one, remark in zip(found, remarks, strict=True)]

    return Answer(
        plan, snapshot, both.rowids[rows], scores, read_partners, pixel_reader(store), vector[0],
        probabilities=None if calibration is None else lambda page: p[rows[page]] * (1 - p[partners[page]]),
    )  # fmt: skip


def change_notes(answer: Answer) -> Iterator[str]:
    """Say what of an answer may surprise: that it is empty, or that pairs differ in more than the ground."""
    if not len(answer):
        yield "no place was seen at both times and shows more of it at the one than at the other"
        return
    shown = answer[:NOTED_HITS]
    doubtful = sum("other" in hit.partners[0].relation for hit in shown)
    if doubtful:
        yield f"{doubtful} of the first {len(shown)} pairs differ in season or sensor; see the remark of each"


def _rank(both: _Both, p: Float64s, rows: Rows, k: int | None, min_score: float) -> _Changed:
    """Take up tiles in the order of p, which no score exceeds, until the next is below the k-th best score."""
    count = len(both.hits.rowids)
    best = RelationTopK(k, 1, 1.0, max(min_score, np.nextafter(0, 1)), both.ids.__getitem__)
    index = NeighborIndex(both.extents, (np.arange(len(p)) >= count).astype(float))
    for block in best.blocks(rows, p):
        partners = _same_place(both, p, index, block)
        seen = partners >= 0
        best.push(block[seen], p[block[seen]] - p[partners[seen]], partners[seen][:, None])
    return _Changed(best.rows, best.scores, best.partners[:, 0])


def _same_place(both: _Both, p: Float64s, index: NeighborIndex, hits: Rows) -> Rows:
    """Find the other tile of each hit's place: its row, -1 where there is none."""
    partners, overlap = np.full(len(hits), -1, np.intp), np.zeros(len(hits))
    for hit, other, _ in index.pairs(hits, 1.0, 0.0):
        meet = _extents_meet(both.extents[hits[hit]], both.extents[other])
        hit, other = hit[meet], other[meet]  # noqa: PLW2901
        for start in range(0, len(hit), MAX_PAIRS):
            a, b = hit[start : start + MAX_PAIRS], other[start : start + MAX_PAIRS]
            shapes, others = _outlines(both, hits[a]), _outlines(both, b)
            shares = intersection_over_union(shapes, others)
            same = (shares >= IOU_THRESHOLD) & same_size(shapes, others)
            # those that were found before compete with the new ones
            known = np.flatnonzero(partners >= 0)
            a, b = np.concatenate([a[same], known]), np.concatenate([b[same], partners[known]])
            shares = np.concatenate([shares[same].round(OVERLAP_DECIMALS), overlap[known]])
            order = np.lexsort((both.ids[b], -p[b], -shares, a))
            lead = order[np.flatnonzero(np.diff(a[order], prepend=-1))]
            partners[a[lead]], overlap[a[lead]] = b[lead], shares[lead]
    return partners


def _extents_meet(a: Float64s, b: Float64s) -> NDArray[np.bool_]:
    """Tell which pairs of unwrapped extents (n, 4) overlap, also where one of two goes on beyond 180 degrees."""
    meet = np.zeros(len(a), bool)
    tall = np.minimum(a[:, 3], b[:, 3]) > np.maximum(a[:, 1], b[:, 1])
    for turn in (-360, 0, 360):
        meet |= tall & (np.minimum(a[:, 2], b[:, 2] + turn) > np.maximum(a[:, 0], b[:, 0] + turn))
    return meet


def _outlines(both: _Both, rows: Rows) -> NDArray[np.object_]:
    unique, at = np.unique(rows, return_inverse=True)
    shapes: NDArray[np.object_] = to_equal_area(both.footprints(unique))[at]
    shapely.prepare(shapes)
    return shapes


def _remarks(snapshot: Snapshot, rowids: NDArray[np.uint64], hits: Rows, others: Rows) -> list[str]:
    """Say of each pair when the other was taken, and what besides the ground may differ."""
    tables = [snapshot.take(rowids[rows], ["datetime", "gsd"]).to_pylist() for rows in (hits, others)]
    return [pair_remark(a["datetime"], b["datetime"], a["gsd"], b["gsd"]) for a, b in zip(*tables, strict=True)]
