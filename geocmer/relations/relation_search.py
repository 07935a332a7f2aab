"""A query with relations -> hits that carry their partners. Reads the store; what is computed is in `join`."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..models.text_encoder import Encode
from ..search.nms import suppress_overlaps
from ..search.probability import Calibration, background
from ..search.results import Answer, Partner, Plan, pixel_reader
from ..search.vector_search import check_k
from ..store.filter import EVERY_TILE, Filter
from ..store.store import Store
from .join import RankedTiles, factor_count, join
from .partners import make_partners
from .query import Query
from .taught import Taught
from .tile_scores import score_tiles


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
    taught: Taught | None = None,
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
    period = Filter(since=filter.since, until=filter.until)
    known = {
        number: taught[name].probability_model
        for number, name in enumerate(query.concepts)
        if taught and name in taught
    }
    concept_vectors = encode(query.concepts)
    others = encode(background()) if calibration is None else None
    aimed = calibration if others is None else Calibration.of_sample(others, others[:0])
    assert aimed is not None  # it is given, or made
    directions = aimed.directions(concept_vectors)
    for number, probability_model in known.items():
        directions[number] = probability_model.directions[0]
    tiles = score_tiles(snapshot, period, directions)
    measure = aimed if others is None else Calibration.of_sample(others, tiles.sample)
    measures = [known[number].calibration if number in known else measure for number in range(len(directions))]
    each = [one.probability(products) for one, products in zip(measures, tiles.products, strict=True)]
    ends = np.cumsum([len(concepts) for concepts in query.any_of])
    p = [np.max(each[end - len(concepts) : end], axis=0) for concepts, end in zip(query.any_of, ends, strict=True)]
    clauses = list(zip(query.clauses, p[1:], strict=True))
    factors = factor_count(len(clauses), query.one_clause)
    if min_probability is not None:
        min_score = max(min_score or 0.0, min_probability ** (1 / factors))
    hit_mask, unembedded = tiles.hit_mask(filter)

    def rank(most: int | None) -> tuple[NDArray[np.uint64], RankedTiles]:
        ids = tiles.ids.__getitem__
        found = join(
            tiles.extents, tiles.footprints, p[0], clauses, most, hit_mask, min_score or 0.0, ids, query.one_clause
        )
        return tiles.rowids[found.rows], found

    ranked, kept, hidden = suppress_overlaps(snapshot, filter, rank, k, keep)
    rows, partner_rows = ranked.rows[kept], ranked.partners[kept]
    plan = Plan(
        method=f"{tiles.method}, then a join by upper bounds",
        exact=True,
        tiles=snapshot.count(),
        scanned=tiles.read,
        matched=int(hit_mask.sum()),
        unembedded=unembedded,
        hidden=hidden,
    )

    def partners(page: slice) -> list[tuple[Partner, ...]]:
        found: list[tuple[Partner, ...]] = [()] * len(rows[page])
        for number, (clause, p_concept) in enumerate(clauses):
            of_clause = partner_rows[page, number]
            having = np.flatnonzero(of_clause >= 0)
            made = make_partners(str(clause), rows[page][having], of_clause[having], p_concept, tiles, snapshot)
            for n, one in zip(having, made, strict=True):
                found[n] += (one,)
        return found

    scores = ranked.scores[kept]
    return Answer(
        plan, snapshot, tiles.rowids[rows], scores, partners, pixel_reader(store),
        directions[0] if 0 in known else concept_vectors[0],
        probabilities=None if calibration is None else lambda page: scores[page] ** factors,
    )  # fmt: skip
