"""A query with relations -> hits that carry their partners. Reads the store; what is computed is in `join`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .calibration import Calibration, background, probability
from .filters import Filter
from .geodesy import Caps, bearings, distances, line
from .geometry import BBox, Region
from .join import join
from .partner import Partner
from .query import Query
from .ranking import dots
from .schema import EXTENT
from .search import Answer, Hit, Plan, search
from .snapshot import Snapshot
from .store import Store
from .vectors import EncoderInfo, halves

Encode = Callable[[Sequence[str]], NDArray[np.floating[Any]]]
Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

SAMPLE = 64
"""Tiles of each batch of a scan that the calibration looks at."""


@dataclass(frozen=True, slots=True)
class Related:
    """Hits of a relation, best first; as `search.Answer`."""

    plan: Plan
    found: Answer = field(repr=False)
    partners: tuple[tuple[Partner, ...], ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.partners)

    def __iter__(self) -> Iterator[Hit]:
        for hit, partners in zip(self.found, self.partners, strict=True):
            yield replace(hit, partners=partners)

    @property
    def hits(self) -> list[Hit]:
        """All of them."""
        return list(self)


def relate(
    store: Store,
    query: Query,
    encode: Encode,
    *,
    region: Region | BBox | None = None,
    category: str | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
    k: int | None = 10,
    min_score: float | None = None,
    fingerprint: str | None = None,
    gsd: tuple[float | None, float | None] | None = None,
    where: str | None = None,
) -> Related:
    """The `k` tiles that meet the relations of a query best, exactly.

    Region and category are conditions on the hits; their partners may be any tiles, so that nothing is lost at the edge
    of a region. Dates are conditions on both. A hit's score is `join`'s, 0..1; a tile without a partner is no hit, so
    there may be fewer than `k`.

    Args:
        store: where to look.
        query: from `query.parse`, with clauses or without.
        encode: texts -> (n, dim) unit vectors, by the store's encoder.
        region: of the hits.
        category: of the hits.
        since: first moment.
        until: last moment.
        k: how many at most; None for all.
        min_score: the least score.
        fingerprint: of the encoder; refused if it is not the store's.
        gsd: finest and coarsest ground resolution of the hits, metres.
        where: a condition on the land cover of the hits, see `Shares`.

    Raises:
        FingerprintError: `fingerprint` is not the store's.
        StoreError: the store has no vectors yet.
        InputError: conditions that contradict each other.
    """
    snapshot = store.snapshot()
    info = snapshot.answering(fingerprint)
    vectors = encode([*background(), *query.concepts])
    others, concepts = vectors[: len(background())], vectors[len(background()) :]
    period = Filter(None, None, since, until)
    rowids, extents, scores, sample = _scan(snapshot, info, period, others, concepts)
    calibration = Calibration.of(others, sample)
    p = [probability(column / calibration.spread) for column in scores.T]
    wanted = None
    conditions: dict[str, Any] = {"region": region, "category": category, "gsd": gsd, "where": where}
    if any(condition is not None for condition in conditions.values()):
        matching = search(store, concepts[0], since=since, until=until, k=None, **conditions)
        wanted = np.isin(rowids, matching.rowids)
    caps = Caps.around(extents)
    places = _Places(snapshot, rowids)
    ranked = join(
        caps, places.footprints, p[0], list(zip(query.clauses, p[1:], strict=True)), k, wanted, min_score or 0.0
    )
    plan = Plan(
        method="scan, then a join by upper bounds",
        exact=True,
        tiles=snapshot.count(),
        scanned=len(rowids),
        matched=len(rowids) if wanted is None else int(wanted.sum()),
        unembedded=0,
    )
    asked = [(number, clause) for number, clause in enumerate(query.clauses) if not clause.negated]
    columns = [
        _partners(str(clause), ranked.rows, ranked.partners[:, number], p[number + 1], caps, places)
        for number, clause in asked
    ]
    partners = tuple(zip(*columns, strict=True)) if columns else ((),) * len(ranked.rows)
    return Related(plan, Answer(plan, snapshot, rowids[ranked.rows], ranked.scores), partners)


def _scan(
    snapshot: Snapshot,
    info: EncoderInfo,
    period: Filter,
    others: NDArray[np.floating[Any]],
    concepts: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.uint64], Floats, Floats, NDArray[np.float16]]:
    """Of every embedded tile: row id, extent, products with the concepts' directions; and a sample of vectors."""
    column = info.column
    directions = (concepts - others.mean(axis=0)).astype(np.float32)
    rowids, extents, scores = [np.empty(0, np.uint64)], [np.empty((0, 4))], [np.empty((0, len(concepts)))]
    sample = [np.empty((0, info.dim), np.float16)]
    for batch in snapshot.scan([column, *EXTENT], period.where(lambda: snapshot.reach)):
        vectors, embedded = halves(batch[column])
        rows = np.flatnonzero(embedded)
        vectors = vectors if len(rows) == len(vectors) else vectors[rows]
        rowids.append(batch["_rowid"].to_numpy()[rows])
        extents.append(np.column_stack([batch[name].to_numpy()[rows] for name in EXTENT]))
        scores.append(np.column_stack([dots(vectors, direction) for direction in directions]).astype(np.float64))
        sample.append(vectors[:: max(len(vectors) // SAMPLE, 1)].copy())
    return np.concatenate(rowids), np.concatenate(extents), np.concatenate(scores), np.concatenate(sample)


class _Places:
    """Ids and footprints of rows, each read once."""

    def __init__(self, snapshot: Snapshot, rowids: NDArray[np.uint64]) -> None:
        self._snapshot, self._rowids = snapshot, rowids
        self._known: dict[int, Any] = {}

    def footprints(self, rows: Rows) -> NDArray[np.object_]:
        missing = np.array(sorted(set(rows.tolist()) - self._known.keys()), np.intp)
        if len(missing):
            table = self._snapshot.take(self._rowids[missing], ["geometry"])
            shapes = shapely.from_wkb(table["geometry"].to_numpy())
            self._known.update(zip(missing.tolist(), shapes, strict=True))
        found = np.empty(len(rows), object)
        found[:] = [self._known[row] for row in rows.tolist()]
        return found

    def ids(self, rows: Rows) -> list[str]:
        ids: list[str] = self._snapshot.take(self._rowids[rows], ["id"])["id"].to_pylist() if len(rows) else []
        return ids


def _partners(relation: str, hits: Rows, others: Rows, p: Floats, caps: Caps, places: _Places) -> list[Partner]:
    """The partners of hits under one clause."""
    if not len(hits):
        return []
    here, there = caps.lonlat[hits], caps.lonlat[others]
    shapes = places.footprints(others)
    metres, azimuths = distances(places.footprints(hits), shapes), bearings(there, here)
    unique, at = np.unique(others, return_inverse=True)
    ids = places.ids(unique)
    return [
        Partner(
            relation=relation,
            id=ids[at[n]],
            score=float(p[other]),
            distance_m=float(metres[n]),
            bearing=None if other == hits[n] else float(azimuths[n]),
            geometry=shapes[n],
            line=None if other == hits[n] else line(here[n], there[n]),
        )
        for n, other in enumerate(others)
    ]
