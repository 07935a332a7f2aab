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
from collections.abc import Sequence
from itertools import pairwise

from ..errors import InputError
from .grammar import ALTERNATIVE, BENT, CAPTION, DENYING, NEGATIVE, UNKNOWN
from .kinds import summary
from .query import Clause, Query
from .relation_words import QUOTED, FoundRelation, find_relations


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        InputError: it is empty, chains relations, has a distance that cannot be read, or a negation without a relation.
    """
    found = list(find_relations(text))
    quoted = QUOTED.fullmatch(text.strip())
    whole = _unquoted(quoted) if quoted else text.strip()
    if not whole:
        raise InputError("the query is empty; say what to look for, for instance 'airport near river'")
    if not found:
        return Query(whole, note="" if quoted else _why_whole(QUOTED.sub(" ", whole)))
    parts, relations = _split(text, found)
    concepts = [_concepts(part) for part in parts]
    if note := _why_description(text, parts, concepts, relations, found):
        return Query(whole, note=note)
    for part, relation in zip(parts, [*relations, ""], strict=True):
        _refuse_leftovers(QUOTED.sub(" … ", part).strip(), relation)
    _refuse_ambiguous(whole, concepts, relations, found)
    one_clause = _one_is_enough(whole, found)
    clauses = [
        Clause(relation.kind, some[0], relation.metres, relation.negated, some[1:])
        for relation, some in zip(found, concepts[1:], strict=True)
    ]
    if one_clause:  # so that a "not" never stands before another relation when the query is said again
        clauses.sort(key=lambda clause: clause.negated)
    return Query(concepts[0][0], tuple(clauses), concepts[0][1:], one_clause)


def _split(text: str, found: Sequence[FoundRelation]) -> tuple[list[str], list[str]]:
    """Return the words before, between and after relations, and those of the relations."""
    starts, ends = [relation.start for relation in found], [relation.end for relation in found]
    parts = [text[start:end].strip() for start, end in zip([0, *ends], [*starts, len(text)], strict=True)]
    return parts, [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def _why_description(
    text: str,
    parts: Sequence[str],
    concepts: Sequence[tuple[str, ...]],
    relations: Sequence[str],
    found: Sequence[FoundRelation],
) -> str:
    """Tell why a text with words of relations is to be left whole, as the description of one picture; empty if not."""
    lacking = [number for number, some in enumerate(concepts) if some == ("",)]
    if lacking:
        return f"{relations[max(lacking[0] - 1, 0)]!r} lacks a place on one side"
    describing = CAPTION.search(QUOTED.sub(" ", text))
    if describing and not any(relation.certain for relation in found):
        return f"{describing[0]!r} makes it the description of one picture"
    if parts[0].casefold().startswith("no "):
        return f"{parts[0][:2]!r} makes it the description of one picture"
    return ""


def _refuse_ambiguous(
    whole: str, concepts: Sequence[tuple[str, ...]], relations: Sequence[str], found: Sequence[FoundRelation]
) -> None:
    """Refuse a chain of relations, and an "or" that lacks a place.

    Raises:
        InputError: it is one of these.
    """
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


def _why_whole(words: str) -> str:
    """Tell what in words without a relation a model of pictures is not likely to understand; empty if nothing."""
    if denying := DENYING.search(words):
        return (
            f"{denying[0]!r} denies no relation here, and a picture shows what is there; write 'airport not near river'"
        )
    if unknown := UNKNOWN.search(words):
        return f"{unknown[0]!r} is no relation that can be looked for; there are {summary()}"
    return ""


def _one_is_enough(whole: str, found: Sequence[FoundRelation]) -> bool:
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


def _concept(text: str) -> str:
    """Strip the words between two relations of quotes, an article before them and punctuation after them."""
    if quoted := QUOTED.fullmatch(text):
        return _unquoted(quoted)
    text = QUOTED.sub(_unquoted, text)
    return re.sub(r"^(?:an?|the|any)\s+(?=\S)|[\s.,;!?]+$", "", text, flags=re.IGNORECASE).strip()


def _concepts(text: str) -> tuple[str, ...]:
    """Split words into the concepts of which one is enough: "lakes, rivers or ponds"."""
    bare = QUOTED.sub(lambda quoted: "\0" * len(quoted[0]), text)
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
