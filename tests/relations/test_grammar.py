"""Kind x negation x adverb x distance x wording, each text made from its parts and so with a known meaning."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocmer.errors import InputError
from geocmer.relations.kinds import IN, NEAR, NEXT_TO, NORTHWEST, SOUTH, WITHIN, Kind
from geocmer.relations.parser import parse
from geocmer.relations.query import Clause, Query

PHRASES = {
    **dict.fromkeys(("near", "near to", "close to", "in the vicinity of", "in the proximity of"), (NEAR, False)),
    **dict.fromkeys(("far from", "far away from", "away from"), (NEAR, True)),
    **dict.fromkeys(("next to", "next-to", "beside", "adjacent to", "alongside"), (NEXT_TO, False)),
    **dict.fromkeys(("in", "inside", "inside of", "within"), (IN, False)),
    **dict.fromkeys(("outside", "outside of"), (IN, True)),
    **dict.fromkeys(("south of", "South of", "to the south of"), (SOUTH, False)),
    **dict.fromkeys(
        ("northwest of", "north-west of", "north west of", "to the north-west of", "NW of"), (NORTHWEST, False)
    ),
}
NEGATIONS = {
    "": False,
    **dict.fromkeys(
        ("not", "never", "isn't", "isn\u2019t", "isnt", "aren't", "is not", "are never", "cannot be"), True
    ),
    **dict.fromkeys(
        ("that is not", "which isn't", "that does not lie", "not at all", "not located", "without being"), True
    ),
    **dict.fromkeys(("nowhere", "not anywhere", "not even", "must not be", "not all that", "neither"), True),
}
ADVERBS = ("", "very", "too", "quite", "right", "directly", "just", "really very", "only slightly")

UP = {
    "within {} of": False,
    "within {} from": False,
    "not more than {} from": True,
    "no more than {} from": True,
    "no farther than {} from": True,
    "not further than {} away from": True,
    "less than {} from": False,
    "at most {} from": False,
    "up to {} from": False,
    "closer than {} to": False,
    "under {} from": False,
    "in a {} radius of": False,
    "within a {} radius around": False,
    "within a radius of {} of": False,
    "within a distance of {} from": False,
    "within about {} of": False,
    "that is within {} of": False,
    "not beyond {} from": True,
    "< {} from": False,
}
DOWN = {
    "not within {} of": True,
    "isn't within {} of": True,
    "more than {} from": False,
    "at least {} from": False,
    "at least {} away from": False,
    "farther than {} from": False,
    "over {} from": False,
    "no closer than {} to": True,
    "not less than {} from": True,
    "outside a {} radius of": False,
    "outside {} of": False,
    "beyond {} from": False,
    "nowhere within {} of": True,
    "> {} from": False,
}
LENGTHS = {
    "2 km": 2000.0,
    "2km": 2000.0,
    "2-km": 2000.0,
    "2,5 km": 2500.0,
    "2.5 km": 2500.0,
    "1,500 m": 1500.0,
    "1 500 m": 1500.0,
    "1\u202f500 m": 1500.0,
    "1\u00a0500\u00a0m": 1500.0,
    "1'500 m": 1500.0,
    "1.500,5 m": 1500.5,
    "1,500.5 m": 1500.5,
    "0,500 km": 500.0,
    ".5 mi": 804.672,
    "1/2 mile": 804.672,
    "\u00bd mile": 804.672,
    "1 1/2 miles": 2414.016,
    "1\u00bd miles": 2414.016,
    "half a mile": 804.672,
    "half mile": 804.672,
    "a half mile": 804.672,
    "half of a mile": 804.672,
    "a mile": 1609.344,
    "one mile": 1609.344,
    "two miles": 3218.688,
    "two-mile": 3218.688,
    "a quarter of a mile": 402.336,
    "three quarters of a mile": 1207.008,
    "one and a half miles": 2414.016,
    "a mile and a half": 2414.016,
    "twenty-five kilometres": 25_000.0,
    "a hundred metres": 100.0,
    "two hundred and fifty metres": 250.0,
    "three thousand feet": 914.4,
    "500 yards": 457.2,
    "3 nautical miles": 5556.0,
    "3 NM": 5556.0,
}


def test_every_kind_under_every_negation_and_adverb() -> None:
    for (phrase, (kind, antonym)), (negation, denied), adverb in itertools.product(
        PHRASES.items(), NEGATIONS.items(), ADVERBS
    ):
        text = " ".join(part for part in ("small airport", negation, adverb, phrase, "a wide river") if part)
        clause = Clause(kind, "wide river", None, denied != antonym)
        if "that is" in text or "which" in text or "is " in text or "are " in text:
            assert denied, "words of a caption, but for the negation"
        if denied and antonym:
            continue  # "isn't far from": told apart below, as a caption may say it
        assert parse(text) == Query("small airport", (clause,)), text


@pytest.mark.parametrize("text", ["not far from", "never far away from", "not too far from", "not very far from"])
def test_two_negations_are_none(text: str) -> None:
    assert parse(f"airport {text} river") == Query("airport", (Clause(NEAR, "river"),))


def test_every_length_under_every_bound() -> None:
    for (bound, _), (length, metres) in itertools.product([*UP.items(), *DOWN.items()], LENGTHS.items()):
        text = f"airport {bound.format(length)} the river"
        expected = Clause(WITHIN, "river", pytest.approx(metres, abs=1e-5), bound in DOWN)  # type: ignore[arg-type]
        query = parse(text)
        assert (query.concept, len(query.clauses)) == ("airport", 1), text
        assert query.clauses[0] == expected, text


@pytest.mark.parametrize("way", ["south of", "to the south of"])
def test_every_length_with_a_direction(way: str) -> None:
    for bound, length in itertools.product(("", "within ", "less than ", "no more than ", "up to ", "about "), LENGTHS):
        (clause,) = parse(f"lake {bound}{length} {way} a city").clauses
        assert clause == Clause(SOUTH, "city", pytest.approx(LENGTHS[length], abs=1e-5))  # type: ignore[arg-type]
    (clause,) = parse(f"lake not within 5 km {way} a city").clauses
    assert clause == Clause(SOUTH, "city", 5000.0, negated=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("airport more than 5 km north of river", "a direction from a distance on"),
        ("airport at least 10 km south of city", "a direction from a distance on"),
        ("airport not less than 5 km north of river", "a direction from a distance on"),
        ("airport near forest but not river", "'not' in 'forest but not river' denies no relation"),
        ("airport near no river", "denies no relation"),
        ("airport 1-2 km from river", "is no distance"),
        ("airport 1 – 2 km from river", "is no distance"),
        ("airport within a stone's throw of river", "is no distance"),
        ("airport or near lake", "'or' before its first relation"),
        ("airport near river or near lake and in forest", "by 'and' and by 'or'"),
        ("airport not near river or near lake", "can be read in two ways"),
        ("airport isn't near river or in forest", "write for instance 'not near river and not near lake'"),
        ("airport not either near river or near lake", "'not' before 'either near'"),
        ("airport near river or", "lacks a place on one side"),
        ("or lake near road", "lacks a place on one side"),
        ("lake or near road", "'or' before its first relation"),
        ("lake near road or river near bridge", "chains 'near' and 'near'"),
        ("airport near river or not lake", "denies no relation"),
        ("airport barely near river", "'barely' before 'near'"),
        ("airport north north west of river", "'north' before 'north west of'"),
        ("town east south east of a lake", "'east' before 'south east of'"),
        ("airport far north of river", "'far' before 'north of'"),
        ("airport rather than near river", "'than' before 'near'"),
        ("airport near river within 2 km", "'within 2 km' is no distance"),
        ("airport within 2-3 km of river", "is no distance"),
        ("airport within -2 km of river", "is no distance"),
        ("airport within walking distance of river", "is no distance"),
        ("airport not within reach of river", "is no distance"),
        ("airport a few miles from river", "is no distance"),
        ("airport half a mile from river", "is no distance"),
        ("airport within 1/0 km of river", "the number '1/0'"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse(text)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("\u201cship next to pier\u201d", ["ship next to pier"]),
        ("\u201efire station next to school\u201c near river", ["fire station next to school", "river"]),
        ("\u00abship next to pier\u00bb near \u00bbbig quay\u00ab", ["ship next to pier", "big quay"]),
        ("\u2018farmer\u2019s market in town\u2019 near river", ["farmer\u2019s market in town", "river"]),
        ("'ship next to pier' near river", ["ship next to pier", "river"]),
        ("farmers' market near people's park", ["farmers' market", "people's park"]),
        ("airport neither near river nor near lake", ["airport", "river", "lake"]),
        ("airport near river; not near lake", ["airport", "river", "lake"]),
        ("airport near river & not near lake", ["airport", "river", "lake"]),
    ],
)
def test_quotes_and_joins(text: str, concepts: list[str]) -> None:
    assert list(parse(text).concepts) == concepts


@given(st.integers(1, 999_999), st.sampled_from(["{:,}", "{}"]), st.sampled_from([",", " ", "\u202f", "'"]))
def test_thousands_however_they_are_parted(number: int, form: str, sign: str) -> None:
    (clause,) = parse(f"a within {form.format(number).replace(',', sign)} m of b").clauses
    assert clause.metres == number


@given(st.lists(st.sampled_from(["very", "not", "one", "is", "within", "2", "km", "a", "half", "near"]), max_size=400))
def test_hostile_repetition_ends(words: list[str]) -> None:
    with contextlib.suppress(InputError):
        assert all(parse(" ".join(words)).concepts)


def test_kinds_are_hashable_rows() -> None:
    assert len({*PHRASES.values()}) == 7
    assert all(isinstance(kind, Kind) for kind, _ in PHRASES.values())
