"""The words of a text that say a relation: where they stand, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import InputError
from ..geometry.lengths import UNITS, metres_of
from .grammar import JOIN, UNREADABLE, Grammar, grammar
from .kinds import WITHIN, Kind

QUOTED = re.compile(
    r"\"((?:[^\"]|\"\")*)\"|[“”„‟]([^“”„‟]*)[“”„‟]|«([^«»]*)»|»([^«»]*)«"
    r"|(?<!\w)[‘‚]((?:[^‘’]|’(?=\w))*)’(?!\w)|(?<!\S)'((?:[^']|'(?=\w))*)'(?=[\s,.;!?]|$)"
)
"""Words in quotes of any of the usual kinds, which hold no relation."""
_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\s\",;“”„«»‘]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FoundRelation:
    """Words that say a relation.

    Attributes:
        start: where they begin in the text, with an "and" or "or" before them.
        end: where they end.
        joined: an "and" or "or" stands before them.
        kind: of the relation.
        metres: the farthest or least distance that they give; None if none.
        negated: the relation must not hold.
        certain: a caption would not say it.
        alternative: it follows an "or".
        denied: a "not" or its like negates it, instead of a word as "far from".
    """

    start: int
    end: int
    joined: bool
    kind: Kind
    metres: float | None
    negated: bool
    certain: bool
    alternative: bool
    denied: bool


def find_relations(text: str) -> Iterator[FoundRelation]:
    """Find the relations outside quotes, in order.

    Raises:
        InputError: one cannot be read.
    """
    at, words = 0, grammar()
    while at < len(text):
        if quoted := QUOTED.match(text, at):
            at = quoted.end()
            continue
        relation = _relation_at(text, at, words)
        if relation:
            yield relation
            at = relation.end
        else:
            at = _WORD.match(text, at).end()  # type: ignore[union-attr]  # any character matches


def _relation_at(text: str, start: int, words: Grammar) -> FoundRelation | None:
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
            return FoundRelation(start, match.end(), joined, kind, metres_of(match), negated, True, either, denied)
    if unreadable := UNREADABLE.match(text, begin):
        raise InputError(
            f"{unreadable[0]!r} is no distance; write for instance 'within 2 km of' or 'more than 500 m from' "
            f"(units: {UNITS})"
        )
    if match := words.plain.match(text, begin):
        kind, antonym = words.phrases[_normal(match["phrase"])]
        denied = bool(match["negation"]) or nor
        certain = denied and not antonym
        return FoundRelation(start, match.end(), joined, kind, None, denied != antonym, certain, either, denied)
    return None


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


def _normal(phrase: str) -> str:
    return re.sub(r"[\s-]+", " ", phrase.casefold())
