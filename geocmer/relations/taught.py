"""Which of a question's words name a concept that the store was taught."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from ..search.concept import Concept
from ..store.records import Records
from ..store.store import Store
from .query import Query
from .question import Question

Taught: TypeAlias = Mapping[str, Concept]
"""Concepts by the words of the question that name them."""


def taught_concepts(
    store: Store, question: Question, query: Query, concepts: Records[Concept]
) -> tuple[dict[str, Concept], list[str]]:
    """Find the concepts that a question's words name, and what to say of them.

    Beside examples and other texts they are taken as words, and so they are if the question is to be taken literally.

    Raises:
        FingerprintError: one was taught on vectors of another encoder than the store's.
        StoreError: the record of one is damaged.
    """
    if question.literal:
        return {}, []
    found = concepts.find(query.concepts if question.alone else question.texts)
    if not question.alone:
        return {}, [_as_words(name) for name in found]
    for concept in found.values():
        concept.require_encoder(store.snapshot().require_encoder())
    return found, list(_notes(found))


def _notes(found: Taught) -> Iterator[str]:
    for words, concept in found.items():
        yield (
            f"{words!r} is the concept that was taught, version {concept.version}, whose examples answer, not "
            "the words; --literal asks for the words"
        )


def _as_words(name: str) -> str:
    return f"{name!r} is taken as words here; the concept of this name is asked alone, or in relations"
