"""A kind of relation is one row of a table: what else knows of it takes it from there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from geocmer.geometry.distance import distances
from geocmer.relations import kinds
from geocmer.relations.join import join
from geocmer.relations.kinds import KINDS, Kind
from geocmer.relations.parser import parse
from geocmer.relations.query import Clause, Query
from geocmer.store.schema import extents

ROOT = Path(__file__).resolve().parents[2]
OPPOSITE = Kind("opposite", ("across from",), ("nowhere opposite",), half_metres=40.0)


@pytest.fixture
def with_dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", (*KINDS, OPPOSITE))


def _table() -> list[str]:
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.kinds())


@pytest.mark.usefixtures("with_dummy")
def test_a_new_kind_is_read() -> None:
    assert parse("shop opposite church") == Query("shop", (Clause(OPPOSITE, "church"),))
    assert parse("shop not right across from a church") == Query("shop", (Clause(OPPOSITE, "church", negated=True),))
    query = Query("opposite shop", (Clause(OPPOSITE, "church across"),))
    assert parse(str(query)) == query, "its words are quoted where they are part of a concept"


def test_what_is_no_kind_is_not_read() -> None:
    assert parse("shop opposite church") == Query("shop opposite church")


def test_a_new_kind_is_joined_by_its_half_distance() -> None:
    shop, church = shapely.box(0, 0, 0.001, 0.001), shapely.box(0.0015, 0, 0.0025, 0.001)
    shapes = np.array([shop, church], dtype=object)
    metres = float(distances(shapes[:1], shapes[1:])[0])
    assert 50 < metres < 60
    clause = Clause(OPPOSITE, "church")
    ranked = join(extents(shapes), shapes.take, np.array([0.9, 0.0]), [(clause, np.array([0.0, 0.8]))], 5)
    assert ranked.partners.tolist() == [[1]]
    assert ranked.scores[0] == pytest.approx((0.9 * 0.8 * 2 ** -((metres / 40) ** 2)) ** 0.5)


@pytest.mark.usefixtures("with_dummy")
def test_a_new_kind_is_in_the_help_and_in_the_page() -> None:
    from geocmer_cli.commands import load

    assert "opposite" in load("search").help
    (row,) = [line for line in _table() if line.startswith("| `opposite` |")]
    assert "`across from`" in row
    assert "40 m" in row
    assert "120 m" in row


def test_the_page_and_the_help_are_as_the_table() -> None:
    from geocmer_cli.commands import load

    rows = "\n".join(_table())
    assert rows in (ROOT / "docs" / "guides" / "relations.md").read_text("utf-8"), "run `python docs/generate.py`"
    for kind in KINDS:
        assert f"| `{kind.name}" in rows
        assert kind.name in load("search").help


def test_no_words_say_two_things() -> None:
    words = [word for kind in KINDS for word in (kind.name, *kind.synonyms, *kind.antonyms)]
    twice = {word for word in words if words.count(word) > 1}
    assert twice == {"within"}, "within a forest, and within 2 km of one"
