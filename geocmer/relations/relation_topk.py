"""The best tiles of a relation so far, and what the next one needs to be among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows

FIRST_BLOCK_TILES = 64
"""Tiles taken up first, few because nothing can be left out yet; each block is twice the one before it."""
MAX_BLOCK_TILES = 8_192
"""Tiles of the largest block, so that memory stays flat if all are asked for."""
TileIds = Callable[[Rows], NDArray[Any]]
"""Reads the ids of the tiles in these rows: comparable and all different."""


class RelationTopK:
    """The k best tiles so far.

    Attributes:
        floor: the product of factors that the next tile needs at least.
        rows: (n,) which tiles.
        scores: (n,) the roots of the products, 0..1.
        partners: (n, clauses) the tile that gave each clause its value.
        examined: tiles that `blocks` gave.
    """

    def __init__(self, k: int | None, clauses: int, power: float, min_score: float, ids: TileIds) -> None:
        """Start empty.

        Args:
            k: how many at most; None for all.
            clauses: of the query.
            power: of a product of factors, to make a score of it.
            min_score: the least score.
            ids: decide between equal scores.
        """
        self._k, self._power, self._ids = k, power, ids
        self._min_product = self.floor = max(min_score, 0.0) ** (1 / power)
        self.rows, self.scores = np.empty(0, np.intp), np.empty(0)
        self.partners = np.empty((0, clauses), np.intp)
        self.examined = 0

    def blocks(self, rows: Rows, bounds: Float64s, rounding: float = 1.0) -> Iterator[Rows]:
        """Yield tiles in the order of their bounds, until the next cannot be among the best; then the best are sorted.

        Each block is to be pushed before the next is asked for, as it may raise the floor.

        Args:
            rows: (m,) which tiles.
            bounds: (n,) of every tile, what its product of factors does not exceed.
            rounding: factor of the floor that allows for rounding errors of the bounds.
        """
        rows = rows[bounds[rows] >= self.floor * rounding]  # sorting a million takes longer than all the rest
        rows = rows[np.argsort(-bounds[rows], kind="stable")]
        start, size = 0, FIRST_BLOCK_TILES
        while start < len(rows) and bounds[rows[start]] >= self.floor * rounding:
            block = rows[start : start + size]
            yield block[bounds[block] >= self.floor * rounding]
            start, size = start + size, min(size * 2, MAX_BLOCK_TILES)
            self.examined = min(start, len(rows))
        self.sort()

    def push(self, rows: Rows, products: Float64s, partners: Rows) -> None:
        """Add tiles with their products of factors."""
        kept = products >= self._min_product
        rows, products, partners = rows[kept], products[kept], partners[kept]
        self.rows = np.concatenate([self.rows, rows])
        self.scores = np.concatenate([self.scores, products**self._power])
        self.partners = np.concatenate([self.partners, partners])
        if self._k is not None:
            self.sort()
            if len(self.rows) == self._k:
                self.floor = max(self.floor, float(self.scores[-1]) ** (1 / self._power))

    def sort(self) -> None:
        """Order the tiles, best first, and keep the k best."""
        order = np.argsort(-self.scores, kind="stable")
        equal = np.diff(self.scores[order], prepend=np.nan, append=np.nan) == 0
        tied = np.flatnonzero(equal[:-1] | equal[1:])  # ids are read where scores are equal, and only there
        order[tied] = order[tied][np.lexsort((self._ids(self.rows[order[tied]]), -self.scores[order[tied]]))]
        order = order[: self._k]
        self.rows, self.scores, self.partners = self.rows[order], self.scores[order], self.partners[order]
