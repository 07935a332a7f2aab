"""The words of a query -> concepts and the relations between them: "airport near river and not near forest".

    query    = concepts [clause {("and" | "but" | ",") clause} | clause {"or" clause}]
    clause   = ["not"] [adverb] relation concepts
    concepts = concept {("," | "or") concept}
    relation = "near" | "next to" | "in" | "within" D "of" | ["within" D] ("north" | "east" | ...) "of" | ...
    concept  = words | '"' anything '"'

All clauses speak of the first place; one of several concepts joined by "or" is enough, and so is one of such clauses.
Text in quotes is never searched for relations. What is no such query is one concept, the words as they are, and
`Query.note` says why; a chain ("airport near river near forest") has two readings and is refused, and so are words that
would turn a relation round in a way that is not understood.

A caption is left whole: "many green trees are near a river" describes one picture, and only a model can weigh all of
it. Its verbs, counts and picture words give it away (`CAPTION`); a distance or a "not" is never mere description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..errors import InputError
from ..geometry.lengths import UNITS, metres_of
from .grammar import ALTERNATIVE, BENT, CAPTION, DENYING, JOIN, NEGATIVE, UNKNOWN, UNREADABLE, Grammar, grammar
from .kinds import WITHIN, Kind, summary
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
    sole = _QUOTED.fullmatch(text.strip())
    whole = _unquoted(sole) if sole else text.strip()
    if not whole:
        raise InputError("the query is empty; say what to look for, for instance 'airport near river'")
    if not found:
        return Query(whole, note="" if sole else _why_whole(_QUOTED.sub(" ", whole)))
    relations = [text[relation.start : relation.end].strip() for relation in found]
    concepts = [_concepts(part) for part in parts]
    lacking = [number for number, some in enumerate(concepts) if some == ("",)]
    if lacking:
        return Query(whole, note=f"{relations[max(lacking[0] - 1, 0)]!r} lacks a place on one side")
    describing = CAPTION.search(_QUOTED.sub(" ", text))
    if describing and not any(relation.certain for relation in found):
        return Query(whole, note=f"{describing[0]!r} makes it the description of one picture")
    if parts[0].casefold().startswith("no "):
        return Query(whole, note=f"{parts[0][:2]!r} makes it the description of one picture")
    for part, relation in zip(parts, [*relations, ""], strict=True):
        _refuse_leftovers(_QUOTED.sub(" … ", part).strip(), relation)
    if not all(relation.joined for relation in found[1:]):
        raise InputError(
            f"{whole!r} chains {relations[0]!r} and {relations[1]!r}, which can be read in two ways; put 'and' between "
            'them if both speak of the first place, "quote" what belongs together, or search the words as one with '
            "--literal"
        )
    if not all(map(all, concepts)):
        raise InputError(
            f"an 'or' in {whole!r} lacks a place on one side; write for instance 'lake or river near road'"
        )
    one_clause = _one_is_enough(whole, found)
    clauses = [
        Clause(relation.kind, some[0], relation.metres, relation.negated, some[1:])
        for relation, some in zip(found, concepts[1:], strict=True)
    ]
    if one_clause:  # so that a "not" never stands before another relation when the query is said again
        clauses.sort(key=lambda clause: clause.negated)
    return Query(concepts[0][0], tuple(clauses), concepts[0][1:], one_clause)


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
    alternative: bool
    """It follows an "or"."""
    denied: bool
    """It is negated by a "not" or its like."""


def _relations(text: str) -> Iterator[_Relation]:
    """Find the relations outside quotes, in order."""
    at, words = 0, grammar()
    while at < len(text):
        if quoted := _QUOTED.match(text, at):
            at = quoted.end()
            continue
        relation = _relation_at(text, at, words)
        if relation:
            yield relation
            at = relation.end
        else:
            at = _WORD.match(text, at).end()  # type: ignore[union-attr]  # any character matches


def _relation_at(text: str, start: int, words: Grammar) -> _Relation | None:
    """Read the relation that begins here, with the "and" before it.

    Raises:
        InputError: it begins here and cannot be read.
    """
    first = _LETTERS.match(text, start)
    if first and first[0].isalpha() and first[0].casefold() not in words.words:
        return None  # as most words: the patterns need not be tried
    join = JOIN.match(text, start)
    begin, nor = (join.end(), bool(join["nor"])) if join else (start, False)
    joined, either = begin > start, bool(join and join["or"])
    for pattern in (words.directed, words.within, words.compared, words.behind):
        if match := pattern.match(text, begin):
            kind = words.phrases[_normal(match["phrase"])][0] if pattern is words.directed else WITHIN
            negated = _negated(match, nor)
            denied = bool(match["negation"]) or nor
            return _Relation(start, match.end(), joined, kind, metres_of(match), negated, True, either, denied)
    if unreadable := UNREADABLE.match(text, begin):
        raise InputError(
            f"{unreadable[0]!r} is no distance; write for instance 'within 2 km of' or 'more than 500 m from' "
            f"(units: {UNITS})"
        )
    if match := words.plain.match(text, begin):
        kind, antonym = words.phrases[_normal(match["phrase"])]
        denied = bool(match["negation"]) or nor
        certain = denied and not antonym
        return _Relation(start, match.end(), joined, kind, None, denied != antonym, certain, either, denied)
    return None


def _why_whole(words: str) -> str:
    """Tell what in words without a relation a model of pictures is not likely to understand; empty if nothing."""
    if denying := DENYING.search(words):
        return (
            f"{denying[0]!r} denies no relation here, and a picture shows what is there; write 'airport not near river'"
        )
    if unknown := UNKNOWN.search(words):
        return f"{unknown[0]!r} is no relation that can be looked for; there are {summary()}"
    return ""


def _one_is_enough(whole: str, found: Sequence[_Relation]) -> bool:
    """Tell whether relations are joined by "or".

    Raises:
        InputError: they can be read in two ways.
    """
    either = [relation.alternative for relation in found]
    if either[0]:
        raise InputError(
            f"{whole!r} has 'or' before its first relation; write for instance 'airport near river or near lake'"
        )
    if any(either[1:]) and not all(either[1:]):
        raise InputError(
            f"{whole!r} joins relations by 'and' and by 'or', which can be read in two ways; search for each of them"
        )
    if any(either) and any(a.denied and not b.negated for a, b in pairwise(found)):
        raise InputError(
            f"{whole!r} can be read in two ways; write for instance 'not near river and not near lake', or 'near lake "
            "or not near river'"
        )
    return any(either)


def _negated(match: re.Match[str], nor: bool) -> bool:
    """Tell whether a relation with a distance must not hold.

    Raises:
        InputError: a direction that holds from a distance on.
    """
    parts = match.groupdict()
    denied = bool(parts["negation"]) or nor
    beyond = any(parts.get(name) is not None for name in ("lower", "gt", "outside", "or_more"))
    compared = beyond or any(parts.get(name) is not None for name in ("upper", "lt", "or_less"))
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


def _concepts(text: str) -> tuple[str, ...]:
    """The concepts of which one is enough: "lakes, rivers or ponds"."""
    bare = _QUOTED.sub(lambda quoted: "\0" * len(quoted[0]), text)
    joins = list(ALTERNATIVE.finditer(bare))
    if not any(join["or"] for join in joins):
        return (_concept(text),)
    starts = [0, *(join.end() for join in joins)]
    ends = [*(join.start() for join in joins), len(text)]
    parts = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return tuple(_concept(re.sub(r"^either\s+", "", part, flags=re.IGNORECASE)) for part in parts)


def _unquoted(quoted: re.Match[str]) -> str:
    inner = next(group for group in quoted.groups() if group is not None)
    return (inner.replace('""', '"') if quoted[0][0] == '"' else inner).strip()
