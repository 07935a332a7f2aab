"""The words of a query -> concepts and the relations between them: "airport near river and not near forest".

    query    = concept [clause {("and" | "but" | ",") clause}]
    clause   = ["not"] relation concept
    relation = "near" | "next to" | "in" | "within" D "of" | ["within" D] ("north" | "east" | ...) "of"
    concept  = words | '"' anything '"'

All clauses speak of the first concept. Text in double quotes is never searched for relations. What is no such query is
one concept, the words as they are, and `Query.note` says why; a chain ("airport near river near forest") has two
readings and is refused.

A caption is left whole: "many green trees are near a river" describes one picture, and only a model can weigh all of
it. Its verbs, counts and picture words give it away (`DESCRIBING`); a distance or a "not" is never mere description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import InputError
from .kinds import Kind

METRES = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("km", "kilometre", "kilometres", "kilometer", "kilometers"), 1000.0),
    **dict.fromkeys(("mi", "mile", "miles"), 1609.344),
    **dict.fromkeys(("ft", "foot", "feet"), 0.3048),
    **dict.fromkeys(("nmi", "nautical mile", "nautical miles"), 1852.0),
}
"""Metres in a unit: the international mile and foot (1959) and nautical mile (1929)."""


FARTHEST = 20_003_932.0
"""Metres from pole to pole on the WGS84 ellipsoid: no two places are farther apart."""


_COMPASS = r"(?:(?:north|south)(?:[\s-]?(?:east|west))?|east|west)"


_WORDS_OF_A_CAPTION = (
    "is|are|was|were|has|have|had|can|there|it|this|that|these|those|which|we|you|us|while|besides|nearby|look|"
    "looks|seen|sit|sits|lie|lies|stand|stands|run|runs|contains|consists|seems|surround|surrounds|surrounded|"
    "surrounding|locate|located|situates|situated|parked|planted|lined|arranged|scattered|dotted|covered|one|two|"
    "three|four|five|six|seven|eight|nine|ten|many|some|several|few|plenty|both|each|middle|side|sides|"
    "rows|lines|order|direction|picture|image|photo|scene"
)


DESCRIBING = re.compile(
    rf"\b(?:{_WORDS_OF_A_CAPTION}|near\s+by|lots?\s+of|in\s+front|(?:in|on|at)\s+the\s+(?:cent(?:er|re)|{_COMPASS}))\b",
    re.IGNORECASE,
)
"""Words of a sentence about one picture; a query names kinds of places."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A relation to a second concept.

    Attributes:
        kind: the relation.
        concept: what the other place shows, in words.
        metres: the farthest that the places may be apart; None: the soft reach of the kind. Always given for `within`.
        negated: True if the relation must not hold.
    """

    kind: Kind
    concept: str
    metres: float | None = None
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.relation} {_quoted(self.concept)}"

    @property
    def relation(self) -> str:
        """The words before the concept."""
        within = "" if self.metres is None else f"within {_distance(self.metres)} "
        return f"{'not ' * self.negated}{within}{'of' if self.kind is Kind.WITHIN else self.kind}"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. `str` gives words that parse to an equal query.

    Attributes:
        concept: what the place shows, in words.
        clauses: its relations to other places, all of which count; empty for a plain query.
        note: why words that look like a relation were left whole; empty otherwise.
    """

    concept: str
    clauses: tuple[Clause, ...] = ()
    note: str = field(default="", compare=False)

    def __str__(self) -> str:
        return " ".join([_quoted(self.concept), " and ".join(map(str, self.clauses))]).strip()

    @property
    def concepts(self) -> tuple[str, ...]:
        """Every text to embed: the first concept, then those of the clauses."""
        return (self.concept, *(clause.concept for clause in self.clauses))


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        InputError: it is empty, chains relations, or its distance cannot be read.
    """
    found = list(_relations(text))
    starts = [0, *(relation.end for relation in found)]
    ends = [*(relation.start for relation in found), len(text)]
    concepts = [_concept(text[start:end]) for start, end in zip(starts, ends, strict=True)]
    sole = _QUOTED.fullmatch(text.strip())
    whole = _unquoted(sole) if sole else text.strip()
    if not whole:
        raise InputError("the query is empty; say what to look for, for instance 'airport near river'")
    if not found:
        return Query(whole)
    if not all(concepts):
        said = text[found[concepts.index("") - 1 if concepts[0] else 0].span].strip()
        return Query(whole, note=f"{said!r} lacks a place on one side")
    describing = DESCRIBING.search(_QUOTED.sub(" ", text))
    if describing and not any(relation.certain for relation in found):
        return Query(whole, note=f"{describing[0]!r} makes it the description of one picture")
    if not all(relation.joined for relation in found[1:]):
        first, second = (text[relation.span].strip() for relation in found[:2])
        raise InputError(
            f"{whole!r} chains {first!r} and {second!r}, which can be read in two ways; put 'and' between them if both "
            'speak of the first place, "quote" what belongs together, or search the words as one with --literal'
        )
    clauses = (
        Clause(relation.kind, concept, relation.metres, relation.negated)
        for relation, concept in zip(found, concepts[1:], strict=True)
    )
    return Query(concepts[0], tuple(clauses))


@dataclass(frozen=True, slots=True)
class _Relation:
    """Words that say a relation: where they are, and what they say."""

    start: int
    end: int
    joined: bool
    kind: Kind
    metres: float | None
    negated: bool

    @property
    def span(self) -> slice:
        return slice(self.start, self.end)

    @property
    def certain(self) -> bool:
        """A caption would not say it."""
        return self.negated or self.metres is not None


_NUMBER = r"(?P<number>\d[\d.,]*(?:e[+-]?\d+)?|\.\d+)"


_UNIT = r"(?P<unit>nautical\s+miles?|[^\W\d_]+)"


_LENGTH = rf"{_NUMBER}\s*{_UNIT}"


_WAY = rf"(?:to\s+the\s+)?(?P<way>{_COMPASS})\s+of"


_NOT = r"(?P<not>not\s+)?"


_FORMS = tuple(
    (kind, re.compile(rf"(?:{form})(?=[\s\",]|$)", re.IGNORECASE))
    for kind, form in (
        (None, rf"{_NOT}(?:within\s+)?{_LENGTH}\s+{_WAY}"),
        (None, rf"{_NOT}{_WAY}"),
        (Kind.WITHIN, rf"{_NOT}within\s+{_LENGTH}\s+(?:of|from)"),
        (Kind.WITHIN, rf"(?:less\s+than|no\s+more\s+than|at\s+most|up\s+to)\s+{_LENGTH}\s+(?:away\s+)?from"),
        (Kind.WITHIN, rf"(?P<not>more\s+than|at\s+least|farther\s+than|further\s+than)\s+{_LENGTH}\s+(?:away\s+)?from"),
        (Kind.NEXT, rf"{_NOT}(?:next\s+to|beside|adjacent\s+to|alongside)"),
        (Kind.NEAR, rf"{_NOT}(?:near|near\s+to|close\s+to)|not\s+far\s+(?:away\s+)?from"),
        (Kind.NEAR, r"(?P<not>far\s+from|far\s+away\s+from|away\s+from)"),
        (Kind.IN, rf"{_NOT}(?:in|inside|inside\s+of)"),
    )
)
"""How a relation may be said, tried in this order wherever a word begins. Without a kind, the direction tells it."""


_UNREADABLE = re.compile(
    r"within\s+[^\s\",]+\s+(?:[^\s\",]+\s+)?(?:of|from)\b|\d[\d.,]*\s*[^\W\d_]+\s+(?:away\s+)?from\b", re.IGNORECASE
)
"""A distance that says too little, or with a number in words."""


_RESERVED = frozenset(
    ("a", "an", "the", "and", "but", "not", "within", "less", "more", "no", "at", "up", "far", "away")
)
"""Words that a relation or a concept's article may begin with."""


_JOIN = re.compile(r"(?:,\s*)?(?:(?:and|but)\s+)?", re.IGNORECASE)


_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


_WORD = re.compile(r'[^\s",]+|.', re.DOTALL)


def _relations(text: str) -> Iterator[_Relation]:
    """The relations outside quotes, in order."""
    at = 0
    while at < len(text):
        if quoted := _QUOTED.match(text, at):
            at = quoted.end()
            continue
        join = _JOIN.match(text, at)
        begin = join.end() if join else at
        for kind, form in _FORMS:
            if match := form.match(text, begin):
                yield _relation(kind, match, at)
                at = match.end()
                break
        else:
            if unreadable := _UNREADABLE.match(text, at):
                raise InputError(
                    f"{unreadable[0]!r} is no distance; write for instance 'within 2 km of' or 'more than 500 m from' "
                    f"(units: m, km, mi, ft, nmi)"
                )
            at = _WORD.match(text, at).end()  # type: ignore[union-attr]  # any character matches


def _relation(kind: Kind | None, match: re.Match[str], start: int) -> _Relation:
    parts = match.groupdict()
    metres = _metres(parts["number"], parts["unit"], match[0]) if parts.get("number") else None
    if kind is None:
        kind = Kind(re.sub(r"[\s-]", "", parts["way"].casefold()) + " of")
    return _Relation(start, match.end(), match.start() > start, kind, metres, bool(parts.get("not")))


def _metres(number: str, unit: str, said: str) -> float:
    """A length.

    Raises:
        InputError: the number or the unit is not understood, or no places on Earth are so far apart.
    """
    factor = METRES.get(" ".join(unit.casefold().split()))
    if factor is None:
        raise InputError(f"{said!r} has the unknown unit {unit!r}; write m, km, mi, ft or nmi")
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", number) if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", number) else number
    try:
        metres = round(float(plain) * factor, 6)  # a micrometre: 1500 ft are 457.2 m
    except ValueError as error:
        raise InputError(f"{said!r} has the number {number!r}; write for instance 2, 2.5 or 1,500") from error
    if not 0 < metres <= FARTHEST:
        raise InputError(f"{said!r} is a distance that no two places have; give one above 0 and up to {FARTHEST:.0f} m")
    return metres


def _distance(metres: float) -> str:
    """Metres as words that `_metres` reads as the same number, to the last bit."""
    kilometres = metres / 1000
    if kilometres >= 1 and float(f"{kilometres!r}") * 1000.0 == metres:
        return f"{kilometres!r} km".replace(".0 ", " ")
    return f"{metres!r} m".replace(".0 ", " ")


def _concept(text: str) -> str:
    """The words between two relations, without quotes, an article before them and punctuation after them."""
    text = text.strip()
    if quoted := _QUOTED.fullmatch(text):
        return _unquoted(quoted)
    text = _QUOTED.sub(_unquoted, text)
    return re.sub(r"^(?:an?|the)\s+(?=\S)|[\s.,;!?]+$", "", text, flags=re.IGNORECASE).strip()


def _unquoted(quoted: re.Match[str]) -> str:
    return quoted[1].replace('""', '"').strip()


def _quoted(concept: str) -> str:
    """A concept as it can stand in a query: bare if it is plain words that no relation or caption is made of."""
    words = set(concept.casefold().split(" "))
    bare = re.fullmatch(r"[^\W\d_]+(?:[ -][^\W\d_]+)*", concept) and words.isdisjoint(_RESERVED)
    if bare and not DESCRIBING.search(concept) and not any(form.search(concept) for _, form in _FORMS):
        return concept
    return '"' + concept.replace('"', '""') + '"'
