"""How probably every tile of a store shows something, at flat memory: a few bytes for each tile."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .._types import Rows
from ..store.filter import EVERY_TILE, Filter
from ..store.snapshot import Snapshot
from ..store.tile_source import TileSource, choose_source
from .dot import exact_dots_at
from .probability import ProbabilityModel

TAKEN_ROWS = 4096
"""Rows whose footprints are read at once."""


@dataclass(frozen=True, slots=True)
class TileProbabilities:
    """The embedded tiles that pass a filter, in storage order.

    Attributes:
        snapshot: the version that was read.
        source: what it was read from.
        positions: (n,) where the source finds the tiles.
        rowids: (n,) `_rowid`.
        values: (n,) probabilities, float32.
        unembedded: tiles that pass and have no vector yet.
    """

    snapshot: Snapshot = field(repr=False)
    source: TileSource = field(repr=False)
    positions: NDArray[np.integer] = field(repr=False)
    rowids: NDArray[np.uint64] = field(repr=False)
    values: NDArray[np.float32] = field(repr=False)
    unembedded: int

    def footprints(self, rows: Rows) -> NDArray[np.object_]:
        """Read the footprints (m,) of some of the tiles (m,), WGS84."""
        starts = range(0, len(rows), TAKEN_ROWS)
        parts = [self.source.footprints(self.positions[rows[start : start + TAKEN_ROWS]]) for start in starts]
        return np.concatenate([np.empty(0, object), *parts])


def tile_probabilities(
    snapshot: Snapshot, probability_model: ProbabilityModel, filter: Filter = EVERY_TILE
) -> TileProbabilities:
    """Compute the probability of every tile that passes a filter, the same that a search gives its hits.

    Raises:
        StoreError: the store has no vectors yet.
        InputError: a condition on a category or class that no tile has.
    """
    snapshot.require_encoder()
    source = choose_source(snapshot, filter)
    positions, rowids = [np.empty(0, np.intp)], [np.empty(0, np.uint64)]
    values = [np.empty(0, np.float32)]
    unembedded = 0
    for batch in source.batches(filter):
        positions.append(np.asarray(batch.positions))
        rowids.append(batch.rowids())
        unembedded += batch.unembedded
        for piece in batch.pieces():
            products = exact_dots_at(*batch.locate(piece), probability_model.directions)
            values.append(probability_model.of_products(products).astype(np.float32))
    found = np.concatenate(values)
    if not len(found):
        snapshot.require_categories(filter.categories)
    return TileProbabilities(snapshot, source, np.concatenate(positions), np.concatenate(rowids), found, unembedded)
