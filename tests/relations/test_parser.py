from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geocmer.errors import InputError
from geocmer.geometry.lengths import MAX_METRES, UNIT_METRES
from geocmer.relations.grammar import grammar
from geocmer.relations.kinds import (
    IN,
    KINDS,
    NEAR,
    NEXT_TO,
    NORTH,
    NORTHEAST,
    SOUTHWEST,
    WEST,
    WITHIN,
    Kind,
    may_relate,
)
from geocmer.relations.parser import parse
from geocmer.relations.query import Clause, Query
from geocmer.relations.question import Question


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parking lot near river", Query("parking lot", (Clause(NEAR, "river"),))),
        ("airport near river", Query("airport", (Clause(NEAR, "river"),))),
        ("An airport, near the river.", Query("airport", (Clause(NEAR, "river"),))),
        ("  AIRPORT\tNear  the \n RIVER ", Query("AIRPORT", (Clause(NEAR, "RIVER"),))),
        ("solar farm in desert", Query("solar farm", (Clause(IN, "desert"),))),
        ("harbor within 2 km of a refinery", Query("harbor", (Clause(WITHIN, "refinery", 2000.0),))),
        ("parking not near forest", Query("parking", (Clause(NEAR, "forest", negated=True),))),
        ("parking far from forest", Query("parking", (Clause(NEAR, "forest", negated=True),))),
        ("parking not far from forest", Query("parking", (Clause(NEAR, "forest"),))),
        ("school next to a park", Query("school", (Clause(NEXT_TO, "park"),))),
        ("lake north of a city", Query("lake", (Clause(NORTH, "city"),))),
        ("lake to the north-east of a city", Query("lake", (Clause(NORTHEAST, "city"),))),
        ("lake within 5 km south west of a city", Query("lake", (Clause(SOUTHWEST, "city", 5000.0),))),
        ("lake 3 nautical miles west of a city", Query("lake", (Clause(WEST, "city", 5556.0),))),
        ("farm more than 1,500 ft from road", Query("farm", (Clause(WITHIN, "road", 457.2, negated=True),))),
        ("farm 2 km or more from road", Query("farm", (Clause(WITHIN, "road", 2000.0, negated=True),))),
        ("farm a mile or less away from road", Query("farm", (Clause(WITHIN, "road", 1609.344),))),
        ("farm not 500 m or less from road", Query("farm", (Clause(WITHIN, "road", 500.0, negated=True),))),
        ("farm not within .5mi of road", Query("farm", (Clause(WITHIN, "road", 804.672, negated=True),))),
        ("many cars within 1e2 m of a lake", Query("many cars", (Clause(WITHIN, "lake", 100.0),))),
        (
            "airport near river and not near forest, in desert but not next to road",
            Query(
                "airport",
                (
                    Clause(NEAR, "river"),
                    Clause(NEAR, "forest", negated=True),
                    Clause(IN, "desert"),
                    Clause(NEXT_TO, "road", negated=True),
                ),
            ),
        ),
        ('"school next to church" near "a lake"', Query("school next to church", (Clause(NEAR, "a lake"),))),
        ("lake or river near road", Query("lake", (Clause(NEAR, "road"),), ("river",))),
        (
            "a lake, a river or the pond near any road",
            Query("lake", (Clause(NEAR, "road"),), ("river", "pond")),
        ),
        ("either lake, or river, near road", Query("lake", (Clause(NEAR, "road"),), ("river",))),
        ("town near a river or a lake", Query("town", (Clause(NEAR, "river", alternatives=("lake",)),))),
        ("town near river and/or lake", Query("town", (Clause(NEAR, "river", alternatives=("lake",)),))),
        (
            "town not near a river or lake and in forest",
            Query("town", (Clause(NEAR, "river", None, True, ("lake",)), Clause(IN, "forest"))),
        ),
        (
            "town near river or near lake",
            Query("town", (Clause(NEAR, "river"), Clause(NEAR, "lake")), one_clause=True),
        ),
        (
            "town either within 2 km of river or next to lake, or in forest",
            Query("town", (Clause(WITHIN, "river", 2000.0), Clause(NEXT_TO, "lake"), Clause(IN, "forest")), (), True),
        ),
        (
            "town more than 5 km from river or near lake",
            Query("town", (Clause(NEAR, "lake"), Clause(WITHIN, "river", 5000.0, True)), one_clause=True),
        ),
        ('town near "river or lake"', Query("town", (Clause(NEAR, "river or lake"),))),
        (
            '"red or blue" roof or "dam, old" near "a or b"',
            Query("red or blue roof", (Clause(NEAR, "a or b"),), ("dam, old",)),
        ),
        ("orchard near Oregon", Query("orchard", (Clause(NEAR, "Oregon"),))),
        ("black and white roof near lake", Query("black and white roof", (Clause(NEAR, "lake"),))),
    ],
)
def test_what_is_a_relation(text: str, expected: Query) -> None:
    assert parse(text) == expected
    assert parse(text).note == ""


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("airport", ""),
        ("a lake", ""),
        ("river and forest", ""),
        ("nearby airport", ""),
        ("airport nearby a river", "'nearby' is no relation that can be looked for; there are near"),
        ("inland harbor, neat", ""),
        ("walk-in clinic", ""),
        ("near river", "'near' lacks"),
        ("airport without river nearby", "'without' denies no relation here"),
        ("airport with no river nearby", "'with no' denies no relation here"),
        ("field that isn't green", '"isn\'t" denies no relation here'),
        ("airport between river and lake", "'between' is no relation that can be looked for"),
        ("airport in between river and lake", "'between' is no relation"),
        ("airport across from river", "'across from' is no relation"),
        ("airport near", "'near' lacks"),
        ("in the desert", "'in' lacks"),
        ("a bridge over a river near many trees in two sides", "'many' makes it the description"),
        ("houses near a lot of trees", "'lot of' makes it"),
        ("some boats are in a port", "'some' makes it"),
        ("a football field in the west of a residential area", "'in the west' makes it"),
        ("it is a piece of farmland next to a river", "'it' makes it"),
        ("No plants in the vast desert", "'No' makes it"),
    ],
)
def test_what_is_left_whole(text: str, note: str) -> None:
    query = parse(text)
    assert query == Query(text)
    assert query.note.startswith(note)
    assert bool(query.note) == bool(note)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ('""', "is empty"),
        ("airport near river near forest", "chains 'near' and 'near'"),
        ("parking near river in city", "put 'and' between them"),
        ("ship within 2 of harbor", "'within 2 of' is no distance"),
        ("ship within a few km of harbor", "write for instance 'within 2 km of'"),
        ("airport 2 km from river", "'2 km from' is no distance"),
        ("ship within 2 parsecs of harbor", "unknown unit 'parsecs'"),
        ("ship within 2,5,1 km of harbor", "the number '2,5,1'"),
        ("ship within 0 km of harbor", "no two places have"),
        ("ship within 1e9 km of harbor", "no two places have"),
        ("ship within 1e999 km of harbor", "no two places have"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse(text)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


SAID = [
    *(kind.name for kind in KINDS),
    "not",
    "or",
    "either",
    "and/or",
    "and",
    "but",
    ",",
    '"',
    '""',
    "a",
    "2 km",
    "within 2 km of",
    "more than 1,5",
    "far from",
    "many",
    "in",
]


@given(st.lists(st.sampled_from(SAID) | st.text(max_size=6), max_size=9).map(" ".join) | st.text())
@example('a "near" b near "')
@example("a near \u2028 b")
@settings(max_examples=examples(120))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = parse(text)
    except InputError:
        return
    assert all(concept.strip() for concept in query.concepts)
    assert parse(str(query)) == query, "what was read can be said again"
    if not query.clauses:
        assert query.concept in text or query.concept in text.replace('""', '"')


concepts = (st.text(min_size=1) | st.lists(st.sampled_from(SAID), min_size=1, max_size=5).map(" ".join)).map(str.strip)
concepts = concepts.filter(bool)
alternatives = st.lists(concepts, max_size=2).map(tuple)
metres = st.floats(1e-6, MAX_METRES).map(lambda value: round(value, 6)) | st.integers(1, 20_000).map(
    lambda n: 1000.0 * n
)


@st.composite
def clauses(draw: st.DrawFn) -> Clause:
    kind = draw(st.sampled_from(KINDS))
    if kind is WITHIN or (kind.azimuth is not None and draw(st.booleans())):
        return Clause(kind, draw(concepts), draw(metres), draw(st.booleans()), draw(alternatives))
    return Clause(kind, draw(concepts), None, draw(st.booleans()), draw(alternatives))


@st.composite
def queries(draw: st.DrawFn) -> Query:
    asked = draw(st.lists(clauses(), max_size=4))
    one_clause = len(asked) > 1 and draw(st.booleans())
    if one_clause:
        asked.sort(key=lambda clause: clause.negated)
    return Query(draw(concepts), tuple(asked), draw(alternatives) if asked else (), one_clause)


@given(queries())
@settings(max_examples=examples(100))
def test_a_query_can_be_said_and_read_again(query: Query) -> None:
    assert parse(str(query)) == query


@given(st.text())
def test_quotes_keep_anything_whole(text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    if text.strip():
        assert parse(quoted) == Query(text.strip())
        assert parse(f"lake near {quoted}") == Query("lake", (Clause(NEAR, text.strip()),))


@given(st.sampled_from(sorted(UNIT_METRES)), st.integers(1, 999), st.sampled_from(["", " "]))
def test_units(unit: str, number: int, space: str) -> None:
    (clause,) = parse(f"a within {number}{space}{unit.upper()} of b").clauses
    assert clause.metres == pytest.approx(number * UNIT_METRES[unit], abs=1e-6)


def _captions(shared_data: Path) -> Iterator[str]:
    """Every caption of RSICD, UCM, Sydney and RSITMD."""
    for file in ("rsicd/captions.json", "sets/ucm/captions.json"):
        for image in json.loads((shared_data / file).read_text())["images"]:
            yield from image["captions"]
    for path in sorted((shared_data / "captions_only" / "amfmn").rglob("*_caps.txt")):
        yield from filter(None, map(str.strip, path.read_text("utf-8").splitlines()))


def test_captions_of_pictures_stay_whole(shared_data: Path) -> None:
    every = sorted(set(_captions(shared_data)))
    captions = every[:: max(1, 12 // examples(1))]
    read: Counter[str] = Counter()
    for caption in captions:
        try:
            read["related" if parse(caption).clauses else "whole"] += 1
        except InputError:
            read["refused"] += 1
    assert len(every) > 35_000
    assert read["related"] < 0.014 * len(captions)
    assert read["refused"] < 0.0006 * len(captions) + 3  # of some thousand one more or less is chance


@given(
    st.lists(
        st.sampled_from([*sorted(grammar().words), "lake", "5 km", "2 miles", "of", "from", "to", ",", "-", "not"])
    )
)
def test_a_text_that_may_not_relate_has_no_relation(words: list[str]) -> None:
    """The quick look of a search by words agrees with the parser wherever it says no."""
    for text in (" ".join(words), "".join(words), "-".join(words).upper()):
        if text.strip() and not may_relate(text):
            assert parse(text) == Query(text.strip())
            assert Question.of((text,)).read() == Query(text.strip())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_relation_may_relate(kind: Kind) -> None:
    for phrase in (kind.name, *kind.synonyms, *kind.antonyms):
        text = f"lake {'within 2 km of' if kind is WITHIN else phrase} town"
        assert may_relate(text)
        assert may_relate(text.upper().replace(" ", "-"))
        assert Question.of((text,)).read() == parse(text)
