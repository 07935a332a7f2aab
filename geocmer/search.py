"""A vector and conditions -> the tiles that answer best, exactly: filter first, then rank."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from .errors import InputError, StoreError
from .filters import Filter, inside
from .geometry import BBox, Region
from .partner import Partner
from .ranking import Best
from .schema import EXTENT
from .snapshot import Snapshot
from .store import Store
from .vectors import EncoderInfo, halves

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 1000
"""Hits that are completed at once while streaming."""
DETAILS = (
    *("id", "scene_id", "row", "col", "size", "geometry", "datetime", "gsd", "valid_share"),
    *("category", "labels", "fractions", "captions", "thumbnail"),
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A tile that was found.

    Attributes:
        id: of the tile.
        rank: 1 for the best; its place in the store where nothing was ranked.
        score: cosine of tile and query, -1..1, plus its category's weight; None where nothing was ranked.
        geometry: footprint in WGS84, cut at the antimeridian.
        scene_id: the scene it was cut from.
        uri: where that scene was read; None while the scene is still being tiled.
        row: first grid pixel from the top.
        col: first grid pixel from the left.
        size: edge length in grid pixels.
        datetime: acquisition time, UTC, if known.
        gsd: metres.
        valid_share: usable pixels / all pixels, 0..1.
        category: scene category, if any.
        fractions: share of each land-cover label; empty without land cover.
        captions: sentences about the tile.
        thumbnail: an encoded picture, if any.
        partners: the other tiles of a relation, in the order of the query; empty where nothing was related.
    """

    id: str
    rank: int
    score: float | None
    geometry: Polygon | MultiPolygon
    scene_id: str
    uri: str | None
    row: int
    col: int
    size: int
    datetime: dt.datetime | None
    gsd: float
    valid_share: float
    category: str | None
    fractions: dict[str, float]
    captions: tuple[str, ...]
    thumbnail: bytes | None = field(repr=False)
    partners: tuple[Partner, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How an answer was found.

    Attributes:
        method: what was read.
        exact: True if the answer equals brute force.
        tiles: in the store.
        scanned: tiles that the coarse filter let through.
        matched: embedded tiles that truly meet every condition.
        unembedded: tiles that meet every condition but have no vector yet, so could not be ranked.
    """

    method: str
    exact: bool
    tiles: int
    scanned: int
    matched: int
    unembedded: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, best first. Iterate to stream them a page at a time, or take the list `hits`."""

    plan: Plan
    snapshot: Snapshot = field(repr=False)
    rowids: NDArray[np.uint64] = field(repr=False)
    scores: NDArray[np.float64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rowids)

    def __iter__(self) -> Iterator[Hit]:
        for start in range(0, len(self), PAGE):
            records = self.snapshot.take(self.rowids[start : start + PAGE], DETAILS).to_pylist()
            for rank, record in enumerate(records, start + 1):
                yield _hit(record, rank, float(self.scores[rank - 1]), self.snapshot.uris)

    @property
    def hits(self) -> list[Hit]:
        """All of them."""
        return list(self)


def search(
    store: Store,
    vector: NDArray[np.floating[Any]],
    *,
    region: Region | BBox | None = None,
    category: str | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
    k: int | None = 10,
    min_score: float | None = None,
    fingerprint: str | None = None,
    weights: Mapping[str | None, float] | None = None,
) -> Answer:
    """The `k` tiles nearest to a vector among those that meet every condition.

    The answer equals brute force over all tiles and is never shorter than min(k, matching tiles). Ties go by id. The
    score of a tile is its cosine with the vector plus the weight of its category.

    Args:
        store: where to look.
        vector: (dim,) of the store's encoder; only its direction counts.
        region: see `Filter`, as the next three.
        category: of the tile.
        since: first moment.
        until: last moment.
        k: how many at most; None for all.
        min_score: the least score of a hit.
        fingerprint: of the encoder that made `vector`; refused if it is not the store's.
        weights: category -> what is added to the score of its tiles, a soft prior; None stands for tiles without a
            category, and a category that is not named gets 0.

    Raises:
        FingerprintError: `fingerprint` is not the store's.
        StoreError: the store has no vectors yet.
        InputError: `k` < 1, a vector of another length, zero or not finite, conditions that contradict each other, a
            weight that is not finite.
    """
    _finite(weights or {})
    wanted = Filter(region, category, since, until)
    snapshot = store.snapshot()
    if fingerprint is not None:
        store.check(fingerprint)
    if snapshot.encoder is None:
        raise StoreError(f"the store {store.path} holds no vectors yet; run `geocmer embed --store {store.path}`")
    column = snapshot.encoder.column
    best = Best(_direction(vector, snapshot.encoder), _at_least_one(k), min_score)
    scanned = matched = unembedded = 0
    for read, batch in _matching(snapshot, wanted, ("id", column, *(("category",) if weights else ()))):
        vectors, embedded = halves(batch[column])
        scanned, matched, unembedded = (
            scanned + read,
            matched + int(embedded.sum()),
            unembedded + int((~embedded).sum()),
        )
        there = batch
        if not embedded.all():
            vectors, there = vectors[embedded], batch.filter(embedded)
        offsets = _offsets(there["category"], weights) if weights else None
        best.offer(vectors, there["_rowid"].to_numpy(), partial(_ids, there["id"]), offsets)
    plan = Plan("LanceDB scan", True, snapshot.count(), scanned, matched, unembedded)
    return Answer(plan, snapshot, *best.ranked())


def everything(
    store: Store,
    *,
    region: Region | BBox | None = None,
    category: str | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
) -> Iterator[Hit]:
    """Every tile that meets the conditions, embedded or not, unranked and in storage order, at flat memory."""
    snapshot = store.snapshot()
    rank = 0
    for _, batch in _matching(snapshot, Filter(region, category, since, until), DETAILS):
        for record in batch.to_pylist():
            rank += 1
            yield _hit(record, rank, None, snapshot.uris)


def _matching(snapshot: Snapshot, wanted: Filter, columns: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows that truly match, with their `_rowid`; before each batch, how many rows were read for it."""
    area = wanted.area
    names = list(dict.fromkeys([*columns, *(() if area is None else (*EXTENT, "geometry"))]))
    for batch in snapshot.scan(names, wanted.where(lambda: snapshot.reach)):
        kept = batch
        if area is not None:
            extents = np.column_stack([batch[name].to_numpy() for name in EXTENT])
            kept = batch.filter(inside(area, extents, partial(_footprints, batch["geometry"])))
        yield batch.num_rows, kept


def _hit(record: dict[str, Any], rank: int, score: float | None, uris: dict[str, str]) -> Hit:
    """A row of `DETAILS` as Python sees it."""
    return Hit(
        id=record["id"],
        rank=rank,
        score=score,
        geometry=shapely.from_wkb(record["geometry"]),
        scene_id=record["scene_id"],
        uri=uris.get(record["scene_id"]),
        row=record["row"],
        col=record["col"],
        size=record["size"],
        datetime=record["datetime"],
        gsd=record["gsd"],
        valid_share=record["valid_share"],
        category=record["category"],
        fractions=dict(zip(record["labels"] or (), record["fractions"] or (), strict=True)),
        captions=tuple(record["captions"] or ()),
        thumbnail=record["thumbnail"],
    )


def _direction(vector: NDArray[np.floating[Any]], info: EncoderInfo) -> NDArray[np.float64]:
    """The query as a unit vector."""
    if vector.shape != (info.dim,):
        raise InputError(f"a query of shape {vector.shape} does not fit {info.title}; it must have shape ({info.dim},)")
    query = vector.astype(np.float64)
    length = float(np.linalg.norm(query))
    if not 0 < length < np.inf:  # also refuses NaN
        raise InputError("the query vector is zero or not finite, so nothing is near it; ask with another text")
    return query / length


def _at_least_one(k: int | None) -> int | None:
    if k is not None and k < 1:
        raise InputError(f"k is {k}; ask for at least 1 hit")
    return k


def _finite(weights: Mapping[str | None, float]) -> None:
    for category, weight in weights.items():
        if not math.isfinite(weight):
            raise InputError(f"the weight of category {category!r} is {weight}; give a finite number")


def _offsets(categories: pa.Array, weights: Mapping[str | None, float]) -> NDArray[np.float64]:
    """The weight of each row's category."""
    encoded = categories.dictionary_encode()
    known = np.array([weights.get(name, 0.0) for name in (*encoded.dictionary.to_pylist(), None)])
    offsets: NDArray[np.float64] = known[encoded.indices.fill_null(len(known) - 1).to_numpy()]
    return offsets


def _ids(column: pa.Array, rows: NDArray[np.intp]) -> NDArray[np.bytes_]:
    return np.array(column.take(rows).to_pylist(), dtype="S32")


def _footprints(column: pa.Array, rows: NDArray[np.intp]) -> NDArray[np.object_]:
    footprints: NDArray[np.object_] = shapely.from_wkb(column.take(rows).to_numpy(zero_copy_only=False))
    return footprints
