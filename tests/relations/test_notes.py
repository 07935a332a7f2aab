from __future__ import annotations

import pytest

from geocmer.relations.kinds import may_relate
from geocmer.relations.notes import notes, relation_notes
from geocmer.relations.parser import parse


@pytest.mark.parametrize(
    ("texts", "others", "said"),
    [
        (["airport", "near", "river"], False, ["read as 3 texts"]),
        (["airport", "lake"], False, ["read as 2 texts"]),
        (["small airport near", "a river"], False, ["'small airport near a river'"]),
        (["small airport", "wide river"], False, []),
        (["airport near river"], False, []),
        (["airport near river"], True, ["'airport near river' is read as one description"]),
        (["airport near river", "wide lake"], False, ["beside"]),
        (["airport within 2 of river"], True, ["is read as one description"]),
        (["lake"], True, []),
        ([], True, []),
    ],
)
def test_words_that_may_be_meant_otherwise_are_said(texts: list[str], others: bool, said: list[str]) -> None:
    found = list(notes(texts, others=others))
    assert len(found) == len(said)
    assert all(part in note for part, note in zip(said, found, strict=True))
    assert not any("\n" in note for note in found)


def test_where_no_relation_is_looked_for_one_in_words_is_said() -> None:
    assert ["one description" in note for note in relation_notes("airport near river")] == [True]
    assert not list(relation_notes("airport"))


@pytest.mark.parametrize("words", ["between", "across from", "opposite of", "opposite to", "nearby"])
def test_words_of_no_relation_are_noted_by_whoever_looks_quickly(words: str) -> None:
    text = f"airport {words} a lake"
    assert may_relate(text)
    assert "no relation that can be looked for" in parse(text).note
