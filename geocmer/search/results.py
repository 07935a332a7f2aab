"""What a search returns: hits, the plan that found them, and an answer that streams them a page at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from ..store.snapshot import Snapshot
from .partner import Partner

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
        hidden: hits left out, above the last one, because another hit shows the same place.
    """

    method: str
    exact: bool
    tiles: int
    scanned: int
    matched: int
    unembedded: int
    hidden: int = 0

    def lines(self) -> list[str]:
        """The plan for a person."""
        kind = "exact: the answer of brute force" if self.exact else "approximate"
        counts = f"{self.tiles} tiles in the store, {self.scanned} looked at, {self.matched} ranked"
        missing = [f"{self.unembedded} match but have no vector yet; run `geocmer embed`"] if self.unembedded else []
        return [f"{self.method}, {kind}", counts, *missing]


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
                yield hit_of(record, rank, float(self.scores[rank - 1]), self.snapshot.uris)

    @property
    def hits(self) -> list[Hit]:
        """All of them."""
        return list(self)


def hit_of(record: dict[str, Any], rank: int, score: float | None, uris: dict[str, str]) -> Hit:
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
