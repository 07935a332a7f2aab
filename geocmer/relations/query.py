"""What is asked for: a concept and its relations to others. `str` gives words that are read as an equal query."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..geometry.lengths import write_length
from .kinds import Kind


@dataclass(frozen=True, slots=True)
class Clause:
    """A relation to a second concept.

    Attributes:
        kind: the relation.
        concept: what the other place shows, in words.
        metres: the farthest that the places may be apart; None: the soft reach of the kind. Always given for `within`.
        negated: True if the relation must not hold.
        alternatives: what it may show instead of `concept`, which is enough too: "near a river or a lake".
    """

    kind: Kind
    concept: str
    metres: float | None = None
    negated: bool = False
    alternatives: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.relation} {' or '.join(map(quote, self.any_of))}"

    @property
    def any_of(self) -> tuple[str, ...]:
        """The concepts of which the other place shows one."""
        return (self.concept, *self.alternatives)

    @property
    def relation(self) -> str:
        """The words before the concept."""
        within = "" if self.metres is None else f"within {write_length(self.metres)} "
        return f"{'not ' * self.negated}{within}{'of' if self.kind.half_metres is None else self.kind}"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        concept: what the place shows, in words.
        clauses: its relations to other places, all of which count; empty for a plain query.
        alternatives: what it may show instead of `concept`, which is enough too: "lake or river near road".
        one_clause: True if one of the relations is enough: "near a river or in a forest".
        note: why words that look like a relation were left whole; empty otherwise.
    """

    concept: str
    clauses: tuple[Clause, ...] = ()
    alternatives: tuple[str, ...] = ()
    one_clause: bool = False
    note: str = field(default="", compare=False)

    def __str__(self) -> str:
        subject = " or ".join(map(quote, self.any_of[0]))
        join = " or " if self.one_clause else " and "
        return f"{subject} {join.join(map(str, self.clauses))}".strip()

    @property
    def any_of(self) -> tuple[tuple[str, ...], ...]:
        """Of the place itself, then of each clause: the concepts of which one is enough."""
        return ((self.concept, *self.alternatives), *(clause.any_of for clause in self.clauses))

    @property
    def concepts(self) -> tuple[str, ...]:
        """Every text to embed, in the order of `any_of`."""
        return tuple(concept for concepts in self.any_of for concept in concepts)


def quote(concept: str) -> str:
    """Write a concept as it can stand in a query: bare if it is plain words that no relation or caption is made of."""
    from .grammar import CAPTION, grammar

    bare = re.fullmatch(r"[^\W\d_]+(?:[ -][^\W\d_]+)*", concept) and not any(map(str.isnumeric, concept))  # as in "¼"
    words = set(re.split(r"[ -]", concept.casefold()))
    if bare and words.isdisjoint(grammar().words) and not CAPTION.search(concept):
        return concept
    return '"' + concept.replace('"', '""') + '"'
