"""What a search returns: hits, their partners in relations, and an answer that streams them a page at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, MultiLineString, MultiPolygon, Polygon

from ..errors import InputError
from ..store.snapshot import Snapshot
from ..store.store import Store
from .spot import Spot

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL.Image import Image

ReadPixels: TypeAlias = Callable[[str, int, int], NDArray[np.uint8]]
"""From scene id, row and column to the pixels (size, size, 3) of a tile."""
TakeRows: TypeAlias = "Callable[[NDArray[np.uint64], Sequence[str]], pa.Table]"
"""Reads columns of rows by `_rowid`, in the order asked for, as `Snapshot.take` does."""
PAGE_HITS = 1000
"""Hits read from the store at once while streaming."""
HIT_COLUMNS = (
    *("id", "scene_id", "row", "col", "size", "geometry", "datetime", "gsd", "valid_share"),
    *("category", "labels", "fractions", "captions", "thumbnail"),
)


@dataclass(frozen=True, slots=True)
class Partner:
    """The tile that makes a relation true of a hit: for "airport near river", the river beside an airport.

    Attributes:
        relation: the relation and the partner's concept, as they were read: "near river".
        id: of the tile; the hit's own where one tile shows both concepts.
        score: how well the tile shows the partner's concept, calibrated, 0..1.
        distance_m: metres on the WGS84 ellipsoid between the two footprints; 0 where they touch or overlap.
        bearing: where the hit lies as seen from the partner, degrees clockwise from true north, 0 <= bearing < 360,
            from centre to centre; None if the two are the same tile.
        geometry: footprint in WGS84, cut at the antimeridian.
        line: the geodesic from the hit's centre to the partner's, WGS84, cut at the antimeridian; None if they are the
            same tile.
    """

    relation: str
    id: str
    score: float
    distance_m: float
    bearing: float | None
    geometry: Polygon | MultiPolygon = field(repr=False)
    line: LineString | MultiLineString | None = field(repr=False)

    def attributes(self) -> dict[str, Any]:
        """Return what JSON can hold of it, without the geometries: metres to a centimetre, degrees to a tenth."""
        return {
            "relation": self.relation,
            "id": self.id,
            "score": round(self.score, 6),
            "distance_m": round(self.distance_m, 2),
            "bearing": None if self.bearing is None else round(self.bearing, 1) % 360,
        }


@dataclass(frozen=True, slots=True)
class Hit:
    """A tile that was found.

    Attributes:
        id: of the tile.
        rank: 1 for the best; its place in the store where nothing was ranked.
        score: cosine of tile and query, -1..1, plus its category's offset; 0..1 for relations; None where nothing was
            ranked.
        probability: how probable it is that the tile shows what was asked for, 0..1, see `probability`; None where that
            is not known: without words, or of a model without a calibration.
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
        partners: the other tiles of a relation, in the order of the query; empty without relations.
        spot: where in the tile the question is answered; None unless that was asked for.
        read_pixels: cuts the tile from its scene again, for `image`.
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
    spot: Spot | None = None
    read_pixels: ReadPixels | None = field(default=None, repr=False, compare=False)
    probability: float | None = None

    def image(self) -> Image:
        """Cut the tile from its scene, at full resolution, as the encoder saw it.

        Raises:
            InputError: the scene is gone or has changed, or the hit was not read from a store.
        """
        from PIL import Image

        if self.read_pixels is None:
            raise InputError(f"tile {self.id} was not read from a store, so its scene is not known; search for it")
        return Image.fromarray(self.read_pixels(self.scene_id, self.row, self.col))


@dataclass(frozen=True, slots=True)
class Plan:
    """How a search found its hits.

    Attributes:
        method: what was read, and how.
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
        """Describe the plan for a person."""
        kind = "exact: the answer of brute force" if self.exact else "approximate"
        counts = f"{self.tiles} tiles in the store, {self.scanned} looked at, {self.matched} ranked"
        missing = [f"{self.unembedded} match but have no vector yet; run `geocmer embed`"] if self.unembedded else []
        return [f"{self.method}, {kind}", counts, *missing]


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, best first, with or without relations. They are read from the store when they are asked for.

    Iterate to stream them a page at a time, take one or some by position, or all as the list `hits`.

    Attributes:
        plan: how they were found.
        snapshot: the version of the store that was read.
        rowids: (n,) rows of the hits.
        scores: (n,) their scores.
        partners: gives the partners of the hits at some positions; None without relations.
        read_pixels: see `Hit`.
        vector: (dim,) of what the tiles should show, in relations of the first concept; None where nothing was asked.
        probabilities: gives the probabilities of the hits at some positions; None where they are not known.
        find_spot: finds where in the tile of a hit the question is answered; None: that was not asked for.
        likeliest: tells the probability of the tile, of all that meet the conditions, that is most like what was asked
            for beside what else a picture may show; None where probabilities are not known.
        take: reads rows of the snapshot; None: the snapshot itself does.
    """

    plan: Plan
    snapshot: Snapshot = field(repr=False)
    rowids: NDArray[np.uint64] = field(repr=False)
    scores: NDArray[np.float64] = field(repr=False)
    partners: Callable[[slice], list[tuple[Partner, ...]]] | None = field(default=None, repr=False)
    read_pixels: ReadPixels | None = field(default=None, repr=False)
    vector: NDArray[np.floating[Any]] | None = field(default=None, repr=False)
    find_spot: Callable[[Hit], Spot] | None = field(default=None, repr=False)
    probabilities: Callable[[slice], NDArray[np.float64]] | None = field(default=None, repr=False)
    likeliest: Callable[[], float] | None = field(default=None, repr=False)
    take: TakeRows | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.rowids)

    def __iter__(self) -> Iterator[Hit]:
        for start in range(0, len(self), PAGE_HITS):
            yield from self._read(start, min(start + PAGE_HITS, len(self)))

    @overload
    def __getitem__(self, position: int) -> Hit: ...
    @overload
    def __getitem__(self, position: slice) -> list[Hit]: ...
    def __getitem__(self, position: int | slice) -> Hit | list[Hit]:
        chosen = range(len(self))[position]
        if isinstance(chosen, int):
            return next(self._read(chosen, chosen + 1))
        if chosen.step == 1:
            return list(self._read(chosen.start, chosen.stop))
        return [self[one] for one in chosen]

    @property
    def hits(self) -> list[Hit]:
        """Read all of them."""
        return list(self)

    def _read(self, start: int, stop: int) -> Iterator[Hit]:
        take = self.take or self.snapshot.take
        records = take(self.rowids[start:stop], HIT_COLUMNS).to_pylist()
        partners = self.partners(slice(start, stop)) if self.partners and records else [()] * len(records)
        p = self.probabilities(slice(start, stop)).tolist() if self.probabilities else [None] * len(records)
        for position, (record, beside) in enumerate(zip(records, partners, strict=True), start):
            score = float(self.scores[position])
            hit = hit_from_record(
                record, position + 1, score, self.snapshot.uris, self.read_pixels, beside, p[position - start]
            )
            yield replace(hit, spot=self.find_spot(hit)) if self.find_spot else hit


def pixel_reader(store: Store) -> ReadPixels:
    """Make the function that reads the pixels of a store's tiles; the scene read last stays open while it lives."""
    reader: Any = None

    def read(scene_id: str, row: int, col: int) -> NDArray[np.uint8]:
        from ..store.tile_images import TileImageReader  # imports rasterio, which a search does not need

        nonlocal reader
        reader = reader or TileImageReader(store)
        pixels: NDArray[np.uint8] = reader.pixels(scene_id, row, col)
        return pixels

    return read


def hit_from_record(
    record: dict[str, Any],
    rank: int,
    score: float | None,
    uris: dict[str, str],
    read_pixels: ReadPixels | None = None,
    partners: tuple[Partner, ...] = (),
    probability: float | None = None,
) -> Hit:
    """Make a hit of a row of `HIT_COLUMNS`."""
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
        partners=partners,
        read_pixels=read_pixels,
        probability=probability,
    )
