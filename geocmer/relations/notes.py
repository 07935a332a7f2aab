"""What to say about a question's words: where they were not read as they may have been meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import InputError
from .kinds import may_relate


def notes(texts: Sequence[str], *, others: bool) -> Iterator[str]:
    """Say which words may have been meant otherwise: several bare words, and relations that are not looked for.

    Args:
        texts: of the question, which are averaged if they are several.
        others: True if the question has examples or words to keep away from beside the texts.
    """
    together = " ".join(texts)
    if len(texts) > 1:
        bare = all(len(text.split()) == 1 for text in texts)
        if bare or (_has_relation(together) and not any(map(_has_relation, texts))):
            yield (
                f"read as {len(texts)} texts, which are averaged: {', '.join(texts)}; to ask for them as one, quote "
                f"them: '{together}'"
            )
    if len(texts) > 1 or others:
        for text in filter(_has_relation, texts):
            beside = "other texts" if len(texts) > 1 else "examples or --minus"
            yield f"{text!r} is read as one description: a relation is looked for in a text alone, not beside {beside}"


def relation_notes(text: str) -> Iterator[str]:
    """Say that a relation in words is not looked for, where no other question than one description can be asked."""
    if _has_relation(text):
        yield f"{text!r} is read as one description: relations are looked for by `geocmer search` alone"


def _has_relation(text: str) -> bool:
    if not may_relate(text):
        return False
    from .parser import parse

    try:
        return bool(parse(text).clauses)
    except InputError:
        return True  # words of a relation that cannot be read
