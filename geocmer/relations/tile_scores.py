"""How well every tile shows the concepts of a query, from the memory-mapped cache or, with equal bits, from LanceDB.

What makes probabilities of it comes along: the encoder's calibration, or where there is none a makeshift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..models.text_encoder import Encode
from ..search.dot import exact_dots_at, quantize_queries
from ..search.probability import Calibration, ProbabilityModel, background
from ..store.filter import Filter
from ..store.schema import EXTENT
from ..store.snapshot import Snapshot
from ..store.tile_source import TileBatch, TileSource, choose_source

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
        period: a filter by dates alone, or by nothing.
    """

    rowids: NDArray[np.uint64] = field(repr=False)
    ids: NDArray[np.bytes_] = field(repr=False)
    extents: Float64s = field(repr=False)
    products: Float64s = field(repr=False)
    sample: NDArray[np.float16] = field(repr=False)
    read: int
    period: Filter
    _source: TileSource = field(repr=False)
    _positions: NDArray[np.integer] = field(repr=False)
    _shapes: dict[int, Any] = field(default_factory=dict, repr=False)

    @property
    def method(self) -> str:
        """How they were read."""
        return self._source.method

    def footprints(self, rows: Rows) -> NDArray[np.object_]:
        """Read outlines (m,) of tiles (m,), their corners in shapely's normal order; those asked for last are kept."""
        if len(self._shapes) > MAX_CACHED_FOOTPRINTS:
            self._shapes.clear()
        missing = np.array(sorted(set(rows.tolist()) - self._shapes.keys()), np.intp)
        if len(missing):
            shapes = shapely.normalize(self._source.footprints(self._positions[missing]))
            self._shapes.update(zip(missing.tolist(), shapes, strict=True))
        found = np.empty(len(rows), object)
        found[:] = [self._shapes[row] for row in rows.tolist()]
        return found

    def hit_mask(self, filter: Filter) -> tuple[NDArray[np.bool_], int]:
        """Tell which tiles meet a filter, (n,), and how many that meet it have no vector.

        Args:
            filter: no wider than the period.
        """
        if filter == self.period:
            return np.ones(len(self.rowids), bool), self.read - len(self.rowids)
        return self._source.hit_mask(filter, self._positions)


def score_concepts(
    snapshot: Snapshot,
    periods: Sequence[Filter],
    vectors: NDArray[np.floating[Any]],
    encode: Encode,
    calibration: Calibration | None,
    taught: Mapping[int, ProbabilityModel] | None = None,
) -> tuple[list[TileScores], Calibration]:
    """Score the tiles of some periods for concepts.

    Args:
        snapshot: of a store with vectors.
        periods: filters by dates alone, or by nothing.
        vectors: (c, dim) unit vectors of the concepts.
        encode: texts -> (n, dim) unit vectors.
        calibration: of the encoder; None if it has none.
        taught: concepts that were taught, by their number among the vectors: their directions take the place.

    Returns:
        The tiles of each period, and the calibration; a makeshift of a sample of all these tiles if there is none.

    Raises:
        StoreError: there are no vectors yet.
    """
    others = vectors[:0] if calibration else encode(background())
    directions = (calibration or Calibration.of_sample(others, others[:0])).directions(vectors)
    for number, model in (taught or {}).items():
        directions[number] = model.directions[0]
    scores = [score_tiles(snapshot, period, directions) for period in periods]
    if calibration is None:
        calibration = Calibration.of_sample(others, np.concatenate([tiles.sample for tiles in scores]))
    return scores, calibration


def score_tiles(snapshot: Snapshot, period: Filter, queries: Float64s) -> TileScores:
    """Read the tiles of a period and compute their products with the queries.

    Args:
        snapshot: of a store with vectors.
        period: a filter by dates alone, or by nothing.
        queries: (c, dim), no longer than 4, see `Calibration.directions`.

    Raises:
        StoreError: there are no vectors yet.
    """
    queries = quantize_queries(queries)
    source = choose_source(snapshot, period)
    read = source.count(period)
    parts = [_score_batch(batch, queries, _sample_threshold(read)) for batch in source.batches(period, EXTENT)]
    parts = parts or [_no_tiles(queries)]
    positions, rowids, ids, extents, products, drawn, keys = zip(*parts, strict=True)
    return TileScores(
        rowids=_joined(rowids),
        ids=_joined(ids),
        extents=_joined(extents),
        products=_joined(products, axis=1),
        sample=_joined(drawn)[np.argsort(_joined(keys), kind="stable")],
        read=read,
        period=period,
        _source=source,
        _positions=_joined(positions),
    )


def _score_batch(batch: TileBatch, queries: Float64s, threshold: np.uint64) -> tuple[NDArray[Any], ...]:
    """Return positions, `_rowid`s, ids, extents and products of a batch, and the vectors and keys that it draws."""
    ids = batch.ids()
    keys = _sample_keys(ids)
    drawn = np.flatnonzero(keys <= threshold)
    products = [np.empty((len(queries), 0))]
    vectors = [np.empty((0, queries.shape[1]), np.float16)]
    for piece in batch.pieces():
        products.append(exact_dots_at(*batch.locate(piece), queries))
        first, end = np.searchsorted(drawn, (piece.start, piece.stop))
        vectors.append(batch.vectors(drawn[first:end]))
    joined = np.concatenate(products, axis=1), np.concatenate(vectors)
    return batch.positions, batch.rowids(), ids, batch.extents, *joined, keys[drawn]


def _no_tiles(queries: Float64s) -> tuple[NDArray[Any], ...]:
    """Return what `_score_batch` returns of a batch of no tiles."""
    rowids, ids = np.empty(0, np.uint64), np.empty(0, "S32")
    products, vectors = np.empty((len(queries), 0)), np.empty((0, queries.shape[1]), np.float16)
    return rowids, rowids, ids, np.empty((0, 4)), products, vectors, rowids


def _joined(parts: Sequence[NDArray[Any]], axis: int = 0) -> NDArray[Any]:
    """Join arrays; a single one, which may be mapped from a file, is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)


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
