from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import shapely
from concept_axes import AXES, encode
from effort import examples
from hits import score_of
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import DIM, ENCODER, filled, footprint, tile, unit

from geocmer.errors import InputError, StoreError
from geocmer.export import attributes
from geocmer.geometry.bbox import BBox
from geocmer.relations.answering import answer_question
from geocmer.relations.parser import parse
from geocmer.relations.question import Question, SearchOptions
from geocmer.relations.relation_search import relate
from geocmer.search.results import Hit
from geocmer.store import Filter, Store

DEGREE = 0.01  # 1.1 km: the tiles of a row across the antimeridian
KINDS = ("airport", "field", "river", "field", "field", "field", "airport", "forest", "field", "field", "airport")


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Tiles from west to east, 180 degrees after the fifth; the last has no vector."""
    rows = [
        tile(n, geometry=footprint(180 - 5 * DEGREE + n * DEGREE, 0, DEGREE, DEGREE), category=kind)
        if n < 5
        else tile(n, geometry=footprint(-180 + (n - 5) * DEGREE, 0, DEGREE, DEGREE), category=kind)
        for n, kind in enumerate(KINDS)
    ]
    field = np.array([0, 0, 0, *[0.3 / np.sqrt(DIM - 4)] * (DIM - 4), np.sqrt(1 - 0.3**2)], np.float32)
    vectors = np.array([AXES.get(kind, field) for kind in KINDS], np.float32)
    store = filled(tmp_path_factory.mktemp("relate") / "store", rows[:-1], vectors[:-1])
    store.add_tiles(rows[-1:])
    return store


def _found(store: Store, text: str, **conditions: Any) -> list[tuple[int, list[int]]]:
    """The airports among the best two, each with its partners."""
    answer = relate(store, parse(text), encode, k=2, min_score=0.2, filter=Filter(**conditions))
    assert len(answer) == len(answer.hits)
    return [(int(hit.id, 16), [int(partner.id, 16) for partner in hit.partners]) for hit in answer]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("airport near river", [(0, [2])]),
        ("airport near forest", [(6, [7])]),
        ("airport next to forest", [(6, [7])]),
        ("airport next to river", []),
        ("airport within 5 km of river", [(0, [2]), (6, [2])]),
        ("airport not near river", [(0, []), (6, [])]),
        ("airport more than 5 km from river", []),
        ("airport east of river", [(6, [2])]),
        ("airport west of river", [(0, [2])]),
        ("airport north of river", []),
        ("airport near forest and not near river", [(6, [7])]),
        ("airport within 5 km of river and near forest", [(6, [2, 7])]),
        ("river near airport", [(2, [0])]),
        ("airport near river or forest", [(0, [2]), (6, [7])]),
        ("airport near river or next to forest", [(0, [2]), (6, [7])]),
        ("airport next to forest or north of river", [(6, [7])]),
        ("river or forest near airport", [(2, [0]), (7, [6])]),
        ("airport near forest or more than 2 km from river", [(6, [7])]),
        ("airport more than 2 km from river or forest", []),
    ],
)
def test_relations_in_a_row_of_tiles(row: Store, text: str, expected: list[tuple[int, list[int]]]) -> None:
    assert sorted(_found(row, text)) == expected


def test_the_farther_the_better_where_a_place_is_forbidden(row: Store) -> None:
    far, near = relate(row, parse("airport not near river"), encode, k=2).hits
    assert (int(far.id, 16), int(near.id, 16)) == (6, 0)
    assert score_of(near) < 0.8 * score_of(far)


def test_a_region_holds_for_hits_and_not_for_partners(row: Store) -> None:
    east = BBox(-180, -1, -179.9, 1)
    assert _found(row, "airport within 5 km of river", region=east) == [(6, [2])]
    assert _found(row, "airport within 5 km of river", category="forest") == []


def test_a_hit_tells_its_partner(row: Store) -> None:
    (hit,) = relate(row, parse("airport near river"), encode, min_score=0.2).hits
    (partner,) = hit.partners
    assert partner.relation == "near river"
    assert partner.distance_m == pytest.approx(1113.2, abs=0.1)
    assert partner.bearing == pytest.approx(270)
    assert 0.9 < partner.score < 1
    assert partner.line is not None
    assert partner.line.bounds == pytest.approx((179.955, 0.005, 179.975, 0.005), abs=1e-6)
    assert partner.geometry.equals(footprint(179.97, 0, DEGREE, DEGREE))
    assert attributes(hit)["partners"] == [partner.attributes()]
    ((far,),) = (other.partners for other in relate(row, parse("airport east of river"), encode, k=1))
    assert shapely.get_num_geometries(far.line) == 2, "cut at the antimeridian"
    assert far.bearing == pytest.approx(90)


def test_a_query_without_relations_ranks_by_its_concept(row: Store) -> None:
    answer = relate(row, parse("airport"), encode, k=2)
    assert [hit.category for hit in answer] == ["airport", "airport"]
    assert [hit.partners for hit in answer] == [(), ()]
    assert [hit.rank for hit in answer] == [1, 2]


@given(st.integers(0, 1000))
@settings(max_examples=examples(3))
def test_the_order_of_tiles_does_not_matter(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [tile(n, west=n % 6 * 0.01, south=n // 6 * 0.01, size=0.01) for n in range(30)]
    vectors = unit(30, seed=seed)
    order = rng.permutation(30)
    found = []
    for some in (np.arange(30), order):
        store = filled(tmp_path_factory.mktemp("order") / "store", [rows[n] for n in some], vectors[some])
        answer = relate(store, parse("airport near river and not in forest"), encode, k=7)
        found.append([(hit.id, round(score_of(hit), 9)) for hit in answer])
    assert found[0] == found[1]


def test_what_cannot_be_asked_is_refused(row: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no vectors yet"):
        relate(filled(tmp_path / "empty", [tile(1)], None), parse("airport near river"), encode)
    with pytest.raises(InputError, match="k is 0"):
        relate(row, parse("airport near river"), encode, k=0)
    with pytest.raises(InputError, match="class 'lava' cannot be asked for"):
        relate(row, parse("airport near river"), encode, filter=Filter(where="lava > 0.1"))


@pytest.mark.parametrize("text", ["airport", "airport near river"])
def test_a_printed_score_keeps_its_tile(row: Store, text: str) -> None:
    """A score is printed rounded, half of the time upwards."""
    encoder: Any = SimpleNamespace(fingerprint=ENCODER.fingerprint, dim=DIM, encode_texts=encode, folder=None)
    said: list[str] = []

    def ask(least: float | None) -> list[Hit]:
        options = SearchOptions(min_score=least, category_prior=0.0 if text == "airport" else None)
        return list(answer_question(row, encoder, Question([text]), options, said.append))

    hits = ask(None)
    assert hits
    for hit in hits:
        assert hit.id in {found.id for found in ask(float(attributes(hit)["score"]))}
