"""The words of a query -> concepts and the relations between them: "airport near river and not near forest".

    query    = concept [clause {("and" | "but" | ",") clause}]
    clause   = ["not"] [adverb] relation concept
    relation = "near" | "next to" | "in" | "within" D "of" | ["within" D] ("north" | "east" | ...) "of" | ...
    concept  = words | '"' anything '"'

All clauses speak of the first concept. Text in quotes is never searched for relations. What is no such query is one
concept, the words as they are, and `Query.note` says why; a chain ("airport near river near forest") has two readings
and is refused, and so are words that would turn a relation round in a way that is not understood.

A caption is left whole: "many green trees are near a river" describes one picture, and only a model can weigh all of
it. Its verbs, counts and picture words give it away (`CAPTION`); a distance or a "not" is never mere description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import InputError
from ..geometry.lengths import UNITS, metres_of
from .grammar import BENT, CAPTION, JOIN, NEGATIVE, UNREADABLE, grammar
from .kinds import WITHIN, Kind
from .query import Clause, Query

_QUOTED = re.compile(
    r"\"((?:[^\"]|\"\")*)\"|[“”„‟]([^“”„‟]*)[“”„‟]|«([^«»]*)»|»([^«»]*)«"
    r"|(?<!\w)[‘‚]((?:[^‘’]|’(?=\w))*)’(?!\w)|(?<!\S)'((?:[^']|'(?=\w))*)'(?=[\s,.;!?]|$)"
)


_LETTERS = re.compile(r"[^\W\d_]+")


_WORD = re.compile(r"[^\s\",;“”„«»‘]+|.", re.DOTALL)


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        InputError: it is empty, chains relations, has a distance that cannot be read, or a negation without a relation.
    """
    found = list(_relations(text))
    starts = [0, *(relation.end for relation in found)]
    ends = [*(relation.start for relation in found), len(text)]
    parts = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    concepts = [_concept(part) for part in parts]
    sole = _QUOTED.fullmatch(text.strip())
    whole = _unquoted(sole) if sole else text.strip()
    if not whole:
        raise InputError("the query is empty; say what to look for, for instance 'airport near river'")
    if not found:
        return Query(whole)
    said = [text[relation.start : relation.end].strip() for relation in found]
    if not all(concepts):
        return Query(whole, note=f"{said[concepts.index('') - 1 if concepts[0] else 0]!r} lacks a place on one side")
    describing = CAPTION.search(_QUOTED.sub(" ", text))
    if describing and not any(relation.certain for relation in found):
        return Query(whole, note=f"{describing[0]!r} makes it the description of one picture")
    if parts[0].casefold().startswith("no "):
        return Query(whole, note=f"{parts[0][:2]!r} makes it the description of one picture")
    for part, relation in zip(parts, [*said, ""], strict=True):
        _refuse_leftovers(_QUOTED.sub(" ", part).strip(), relation)
    if not all(relation.joined for relation in found[1:]):
        raise InputError(
            f"{whole!r} chains {said[0]!r} and {said[1]!r}, which can be read in two ways; put 'and' between them if "
            'both speak of the first place, "quote" what belongs together, or search the words as one with --literal'
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
    certain: bool
    """A caption would not say it."""


def _relations(text: str) -> Iterator[_Relation]:
    """Find the relations outside quotes, in order."""
    at = 0
    while at < len(text):
        if quoted := _QUOTED.match(text, at):
            at = quoted.end()
            continue
        relation = _relation_at(text, at)
        if relation:
            yield relation
            at = relation.end
        else:
            at = _WORD.match(text, at).end()  # type: ignore[union-attr]  # any character matches


def _relation_at(text: str, start: int) -> _Relation | None:
    """Read the relation that begins here, with the "and" before it.

    Raises:
        InputError: it begins here and cannot be read.
    """
    words = grammar()
    first = _LETTERS.match(text, start)
    if first and first[0].isalpha() and first[0].casefold() not in words.words:
        return None  # as most words: the patterns need not be tried
    join = JOIN.match(text, start)
    begin, nor = (join.end(), bool(join["nor"])) if join else (start, False)
    joined = begin > start
    for pattern in (words.directed, words.within, words.compared):
        if match := pattern.match(text, begin):
            kind = words.phrases[_normal(match["phrase"])][0] if pattern is words.directed else WITHIN
            negated = _negated(match, nor)
            return _Relation(start, match.end(), joined, kind, metres_of(match), negated, certain=True)
    if unreadable := UNREADABLE.match(text, begin):
        raise InputError(
            f"{unreadable[0]!r} is no distance; write for instance 'within 2 km of' or 'more than 500 m from' "
            f"(units: {UNITS})"
        )
    if match := words.plain.match(text, begin):
        kind, antonym = words.phrases[_normal(match["phrase"])]
        denied = bool(match["negation"]) or nor
        return _Relation(start, match.end(), joined, kind, None, denied != antonym, certain=denied and not antonym)
    return None


def _negated(match: re.Match[str], nor: bool) -> bool:
    """Tell whether a relation with a distance must not hold.

    Raises:
        InputError: a direction that holds from a distance on.
    """
    parts = match.groupdict()
    denied = bool(parts["negation"]) or nor
    beyond = any(parts.get(name) is not None for name in ("lower", "gt", "outside"))
    compared = beyond or any(parts.get(name) is not None for name in ("upper", "lt"))
    if "phrase" in parts and compared and beyond != denied:
        raise InputError(
            f"{' '.join(match[0].split())!r} asks for a direction from a distance on; write it as two relations, for "
            "instance 'within 20 km north of river and more than 5 km from river'"
        )
    return denied != beyond


def _refuse_leftovers(concept: str, relation: str) -> None:
    """Refuse words that would turn a relation round and are not understood, outside quotes.

    Args:
        concept: the words of a concept.
        relation: those of the relation after it.

    Raises:
        InputError: there are such words.
    """
    bent = BENT.search(concept) if relation else None
    if bent and bent[0].casefold() == "or":
        raise InputError(f"'or {relation}' cannot be asked in one query; search for each of them, or add --literal")
    if bent:
        raise InputError(
            f"{bent[0]!r} before {relation!r} is not understood; write {relation!r} or 'not {relation}', or "
            "add --literal"
        )
    if negative := NEGATIVE.search(concept):
        raise InputError(
            f"{negative[0].strip()!r} in {concept!r} denies no relation; write for instance 'and not near forest', "
            'or "quote" the words'
        )


def _normal(phrase: str) -> str:
    return re.sub(r"[\s-]+", " ", phrase.casefold())


def _concept(text: str) -> str:
    """The words between two relations, without quotes, an article before them and punctuation after them."""
    if quoted := _QUOTED.fullmatch(text):
        return _unquoted(quoted)
    text = _QUOTED.sub(_unquoted, text)
    return re.sub(r"^(?:an?|the|any)\s+(?=\S)|[\s.,;!?]+$", "", text, flags=re.IGNORECASE).strip()


def _unquoted(quoted: re.Match[str]) -> str:
    inner = next(group for group in quoted.groups() if group is not None)
    return (inner.replace('""', '"') if quoted[0][0] == '"' else inner).strip()
