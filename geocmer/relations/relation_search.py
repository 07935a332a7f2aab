"""A query with relations -> hits that carry their partners. Reads the store; what is computed is in `join`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..models.text_encoder import Encode
from ..search.nms import suppress_overlaps
from ..search.probability import Calibration, ProbabilityModel
from ..search.results import Answer, Partner, Plan, pixel_reader
from ..search.vector_search import check_k
from ..store.filter import EVERY_TILE, Filter
from ..store.snapshot import Snapshot
from ..store.store import Store
from .join import RankedTiles, factor_count, join
from .partners import make_partners
from .query import Clause, Query
from .taught import Taught
from .tile_scores import TileScores, score_concepts


def relate(
    store: Store,
    query: Query,
    encode: Encode,
    *,
    filter: Filter = EVERY_TILE,
    k: int | None = 10,
    min_score: float | None = None,
    keep: Literal["best", "newest"] | None = None,
    calibration: Calibration | None = None,
    min_probability: float | None = None,
    taught: Taught = MappingProxyType({}),
) -> Answer:
    """Find the `k` tiles that meet the relations of a query best, exactly. Ties go by id.

    The filter holds for the hits; their partners may be any tiles, so that nothing is lost at the edge of a region,
    except that its dates hold for both. A hit's score is `join`'s, 0..1; a tile without a partner is no hit, so
    there may be fewer than `k`.

    Args:
        store: where to look.
        query: from `parser.parse`, with clauses or without.
        encode: texts -> (n, dim) unit vectors, by the store's encoder.
        filter: conditions that every hit meets, and those on the date every partner too.
        k: how many at most; None for all.
        min_score: the least score.
        keep: one hit for each place, as in `nearest_tiles`; partners are any tiles, of the hit's place too.
        calibration: of the encoder. None: the tiles of the store are a makeshift, and hits have no probability.
        min_probability: the least probability of a hit, which needs `calibration`.
        taught: concepts that stand for words of the query.

    Raises:
        StoreError: the store has no vectors yet.
        InputError: `k` < 1, or a condition on a category or class that no tile has.
    """
    snapshot, k = store.snapshot(), check_k(k)
    snapshot.require_encoder()
    vectors = encode(query.concepts)
    models = {number: taught[name].probability_model for number, name in enumerate(query.concepts) if name in taught}
    period = Filter(since=filter.since, until=filter.until)
    (tiles,), measure = score_concepts(snapshot, [period], vectors, encode, calibration, models)
    related = _RelatedTiles.of(tiles, query, measure, models)
    factors = factor_count(len(query.clauses), query.one_clause)
    if min_probability is not None:
        min_score = max(min_score or 0.0, min_probability ** (1 / factors))
    hit_mask, unembedded = tiles.hit_mask(filter)

    def rank(most: int | None) -> tuple[NDArray[np.uint64], RankedTiles]:
        found = related.rank(most, hit_mask, min_score or 0.0, query.one_clause)
        return tiles.rowids[found.rows], found

    ranked, kept, hidden = suppress_overlaps(snapshot, filter, rank, k, keep)
    rows, partner_rows, scores = ranked.rows[kept], ranked.partners[kept], ranked.scores[kept]
    plan = Plan(
        method=f"{tiles.method}, then a join by upper bounds",
        exact=True,
        tiles=snapshot.count(),
        scanned=tiles.read,
        matched=int(hit_mask.sum()),
        unembedded=unembedded,
        hidden=hidden,
    )
    return Answer(
        plan, snapshot, tiles.rowids[rows], scores,
        lambda page: related.partners(rows[page], partner_rows[page], snapshot), pixel_reader(store),
        models[0].directions[0] if 0 in models else vectors[0],
        probabilities=None if calibration is None else lambda page: scores[page] ** factors,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _RelatedTiles:
    """Tiles with the probabilities of the concepts of a query.

    Attributes:
        tiles: n of them.
        subject: (n,) how probably each shows the concept of the hits.
        clauses: the relations, each with how probably the tiles show its concept, (n,).
    """

    tiles: TileScores
    subject: Float64s
    clauses: Sequence[tuple[Clause, Float64s]]

    @classmethod
    def of(
        cls, tiles: TileScores, query: Query, calibration: Calibration, taught: Mapping[int, ProbabilityModel]
    ) -> Self:
        """Compute the probabilities; of alternatives the most probable counts."""
        measures = [
            taught[number].calibration if number in taught else calibration for number in range(len(tiles.products))
        ]
        each = [one.probability(products) for one, products in zip(measures, tiles.products, strict=True)]
        ends = np.cumsum([len(concepts) for concepts in query.any_of])
        p = [np.max(each[end - len(concepts) : end], axis=0) for concepts, end in zip(query.any_of, ends, strict=True)]
        return cls(tiles, p[0], list(zip(query.clauses, p[1:], strict=True)))

    def rank(self, k: int | None, hit_mask: NDArray[np.bool_], min_score: float, one_clause: bool) -> RankedTiles:
        """Find the k best of the tiles that may be hits, see `join`."""
        tiles = self.tiles
        return join(
            tiles.extents, tiles.footprints, self.subject, self.clauses, k, hit_mask, min_score, tiles.ids.__getitem__,
            one_clause,
        )  # fmt: skip

    def partners(self, rows: Rows, partner_rows: Rows, snapshot: Snapshot) -> list[tuple[Partner, ...]]:
        """Make the partners of hits, in the order of the clauses.

        Args:
            rows: (m,) of the hits.
            partner_rows: (m, clauses), -1 where a clause has no partner.
            snapshot: where the tiles are.
        """
        found: list[tuple[Partner, ...]] = [()] * len(rows)
        for (clause, p), others in zip(self.clauses, partner_rows.T, strict=True):
            having = np.flatnonzero(others >= 0)
            made = make_partners(str(clause), rows[having], others[having], p, self.tiles, snapshot)
            for n, one in zip(having, made, strict=True):
                found[n] += (one,)
        return found
