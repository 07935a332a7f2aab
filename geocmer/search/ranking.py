"""The tiles of a source that pass a filter, pushed to the best so far a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._types import Rows
from ..store.filter import Filter
from ..store.snapshot import Snapshot
from ..store.tile_source import TileBatch, TileSource
from .dot import dots_at, exact_dots_at
from .probability import ProbabilityModel
from .results import Plan
from .topk import TopK

Offsets: TypeAlias = Mapping[str | None, float] | None
"""Category -> what is added to the score of its tiles."""


@dataclass(frozen=True, slots=True)
class ProbabilityRule:
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


def rank_tiles(
    source: TileSource,
    snapshot: Snapshot,
    filter: Filter,
    topk: TopK,
    offsets: Offsets = None,
    rule: ProbabilityRule | None = None,
) -> Plan:
    """Rank the tiles of a source that pass a filter.

    Args:
        source: of tiles with vectors.
        snapshot: that the source reads.
        filter: what must hold.
        topk: gets the tiles.
        offsets: category -> what is added to the score of its tiles.
        rule: about probabilities, if they are known.

    Raises:
        InputError: the filter names a land-cover class that no tile has.
    """
    if rule is not None and rule.best is not None:
        rule.best.clear()
    scanned = matched = unembedded = 0
    for batch in source.batches(filter, ("category",) if offsets else ()):
        scanned += batch.read
        matched += len(batch.positions)
        unembedded += batch.unembedded
        _push_batch(batch, offsets, topk, rule)
    return Plan(source.method, True, snapshot.count(), scanned, matched, unembedded)


def _push_batch(batch: TileBatch, offsets: Offsets, topk: TopK, rule: ProbabilityRule | None) -> None:
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
