"""The words of relations as patterns: "not very near", "no more than 2 km from", "within 5 km north of".

Made from the table of `kinds` and the lengths of `lengths`; `relation_words` finds them in a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from ..geometry.lengths import HINT, LENGTH, WORDS
from . import kinds
from .kinds import UNSUPPORTED, Kind


def _any(phrases: Iterable[str]) -> str:
    """Make a pattern of some phrases, the longest first; a blank in them stands for blanks or a hyphen."""
    longest = sorted(phrases, key=len, reverse=True)
    return "(?:" + "|".join(re.escape(phrase).replace(r"\ ", r"[\s-]+") for phrase in longest) + ")"


_RELATIVE = ("that", "which", "who")
_AUXILIARIES = (
    *("is", "are", "was", "were", "be", "do", "does", "did", "has", "have", "had", "can", "could", "may", "might"),
    *("must", "should", "shall", "will", "would"),
)
_COPULAS = ("be", "being", "been", "is", "are", "was", "were", "lie", "lies", "lying", "located", "situated", "placed")
_CONTRACTIONS = tuple(
    word + "t"
    for word in (
        *("isn", "aren", "wasn", "weren", "don", "doesn", "didn", "hasn", "haven", "hadn", "can", "couldn", "mustn"),
        *("shouldn", "won", "wouldn", "ain"),
    )
)
_NEGATORS = ("not", "never", "nowhere", "neither", "cannot", "without")
_FILLERS = (*_COPULAS, "at all", "all", "that", "so", "even", "ever", "any", "anywhere", "remotely", "necessarily")
"""What may stand between a negation and the relation that it turns."""
_ADVERBS = (
    *("very", "quite", "right", "directly", "immediately", "just", "really", "too", "fairly", "rather", "pretty"),
    *("relatively", "reasonably", "extremely", "super", "particularly", "especially", "somewhat", "somewhere"),
    *("anywhere", "actually", "exactly", "precisely", "only", "well", "still", "always", "also", "overly", "closely"),
    *("straight", "due", "slightly", "a little", "a bit", "truly", "entirely", "completely", "wholly", "fully"),
    *("partly", "partially", "mostly", "mainly", "deep", "approximately", "roughly", "about", "around", "some"),
    "circa",
)
"""Words that change nothing that is computed: "right next to" is "next to"."""
_UPPER = (
    *("less than", "closer than", "nearer than", "shorter than", "smaller than", "under", "below", "at most"),
    *("at the most", "up to", "max", "maximum", "maximum of", "a maximum of"),
)
_LOWER = (
    *("more than", "farther than", "further than", "greater than", "larger than", "longer than", "over", "above"),
    *("beyond", "past", "at least", "at the least", "min", "minimum", "minimum of", "a minimum of"),
)
_JOINS = ("and", "but", "yet", "as well as", "also")
_BENT = (
    *("north", "east", "south", "west"),  # "north north west of"
    *("barely", "hardly", "scarcely", "almost", "nearly", "far", "farther", "further", "closer", "nearer", "than"),
    *("less", "more", "most", "least", "no", "nor", "none", "or"),
)
_CAPTION_WORDS = (
    "is|are|was|were|has|have|had|can|there|it|this|that|these|those|which|we|you|us|while|besides|nearby|look|"
    "looks|seen|sit|sits|lie|lies|stand|stands|run|runs|contains|consists|seems|surround|surrounds|surrounded|"
    "surrounding|locate|located|situates|situated|parked|planted|lined|arranged|scattered|dotted|covered|one|two|"
    "three|four|five|six|seven|eight|nine|ten|many|some|several|few|plenty|both|each|middle|side|sides|"
    "rows|lines|order|direction|picture|image|photo|scene"
)
_COMPASS = r"(?:(?:north|south)(?:[\s-]?(?:east|west))?|east|west)"
CAPTION = re.compile(
    rf"\b(?:{_CAPTION_WORDS}|near\s+by|lots?\s+of|in\s+front|(?:in|on|at)\s+the\s+(?:cent(?:er|re)|{_COMPASS}))\b",
    re.IGNORECASE,
)
"""Words of a sentence about one picture; a query names kinds of places."""
_OR = r"(?:and\s*/\s*)?or"
JOIN = re.compile(
    rf"(?:[,;]\s*)?(?:(?:(?P<or>{_OR}(?:\s+else)?)|{_any(_JOINS[:-1])}|&|\+)\s+(?:also\s+)?)?(?P<nor>nor\s+)?"
    r"(?:either\s+)?",
    re.IGNORECASE,
)
"""What may stand between two relations."""
ALTERNATIVE = re.compile(rf"(?:^|\s*,\s*|\s+)(?P<or>{_OR})(?:\s+|$)|\s*,\s*", re.IGNORECASE)
"""What may stand between concepts of which one is enough: "lakes, rivers or ponds"."""
BENT = re.compile(rf"\b{_any((*_BENT, *_NEGATORS))}$", re.IGNORECASE)
"""A word at the end of a concept that bends the relation after it, in a way that is not understood."""
DENYING = re.compile(
    rf"\b(?:{_any(('not', 'never', 'nor', 'neither', 'cannot', 'without', 'lacking', 'with no', 'free of'))}\b"
    r"|\w+n['’]t\b)",
    re.IGNORECASE,
)
"""A negation in words that have no relation: a model of pictures does not understand it."""
UNKNOWN = re.compile(rf"\b{_any(UNSUPPORTED)}\b|(?<=\w\s)nearby(?=\s+\w)", re.IGNORECASE)
"""Words that relate places in a way that cannot be looked for."""
NEGATIVE = re.compile(
    rf"^{_any(('no', 'none'))}\b|\b(?:{_any(('not', 'never', 'nor', 'nowhere', 'neither', 'cannot'))}\b|\w+n['’]t\b)",
    re.IGNORECASE,
)
"""A negation within a concept: there is no relation that it could turn."""
_END = r"(?=[\s\",.;!?“”„«»‘’]|$)"
_CONTRACTED = "|".join(rf"{word[:-1]}['’]?t" for word in _CONTRACTIONS)
_NEGATION = (
    rf"(?:{_any(_RELATIVE)}\s+)?(?:(?:{_CONTRACTED})|(?:{_any(_AUXILIARIES)}\s+)?{_any(_NEGATORS)})"
    rf"(?:\s+{_any(_FILLERS)}){{0,4}}"
)
_ADVERB = rf"(?:{_any(_ADVERBS)}\s+){{0,3}}"
_BEFORE = rf"(?:(?:{_any(_RELATIVE)}\s+)?(?:{_any(_COPULAS)}\s+){{1,3}})?(?:(?P<negation>{_NEGATION})\s+)?{_ADVERB}"
"""What may stand before a relation: "that is located", "isn't", "very"."""
_BEFORE_LENGTH = _BEFORE.replace("(?P<negation>", r"(?P<negation>no|")
_EXTENT = rf"{_ADVERB}(?:(?:an?|the)\s+)?(?:(?:radius|distance)\s+of\s+{_ADVERB})?{LENGTH}"
_CIRCLE = r"(?:[\s-]+(?:radius|distance|circle))?"
_COMPARED = rf"(?:(?:(?P<upper>{_any(_UPPER)})|(?P<lower>{_any(_LOWER)}))\s+|(?:(?P<lt>[<≤])|(?P<gt>[>≥]))=?\s*)"
_AFTER_LENGTH = (
    rf"\s+or\s+(?:(?P<or_less>{_any(('less', 'closer', 'nearer', 'under'))})"
    rf"|(?P<or_more>{_any(('more', 'farther', 'further', 'over', 'beyond'))}))"
)
"""A comparison that stands behind its length: "2 km or more from"."""
UNREADABLE = re.compile(
    rf"within\s+(?:[^\s\",]+\s+){{0,3}}?{HINT}[^\s\",]*(?:\s+(?!of|from)[^\s\",]+)?(?:\s+(?:of|from)\b)?"
    rf"|(?:(?:\d+(?:[.,]\d+)?\s*[-–—]\s*)?{LENGTH}|(?:an?\s+)?(?:few|couple\s+of)\s+[^\s\",]+)\s+(?:away\s+)?from\b",
    re.IGNORECASE,
)
"""A distance that says too little, or with a number that is not understood."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The patterns of relations.

    Attributes:
        directed: a length and a direction.
        within: a length around a place.
        compared: a length with "less than" and its like.
        behind: a length with "or less" and its like.
        plain: a relation without a length.
        phrases: what the words of the group `phrase` say: a kind, and whether it must not hold.
        words: all that a relation may be made of; a concept without them needs no quotes.
    """

    directed: re.Pattern[str]
    within: re.Pattern[str]
    compared: re.Pattern[str]
    behind: re.Pattern[str]
    plain: re.Pattern[str]
    phrases: Mapping[str, tuple[Kind, bool]]
    words: frozenset[str]


def grammar() -> Grammar:
    """Return the patterns of the kinds that there are."""
    return _grammar(kinds.KINDS)


@cache
def _grammar(table: tuple[Kind, ...]) -> Grammar:
    soft = [kind for kind in table if kind.half_metres is not None]
    phrases = {word: (kind, False) for kind in soft for word in (kind.name, *kind.synonyms)}
    phrases |= {word: (kind, True) for kind in soft for word in kind.antonyms}
    directions = [phrase for phrase, (kind, _) in phrases.items() if kind.azimuth is not None]
    # "within" alone is "in", unless a distance was meant that `UNREADABLE` then names
    not_a_length = rf"(?!\s+between\b)(?:(?<!within)|(?!\s+(?:[^\s\",]+\s+){{0,3}}{HINT}))"
    vocabulary = (
        *(*_RELATIVE, *_AUXILIARIES, *_COPULAS, *_CONTRACTIONS, *_NEGATORS, *_FILLERS, *_ADVERBS, *_UPPER, *_LOWER),
        *(*_JOINS, *_BENT, *phrases, *WORDS, "within", "a", "an", "the"),
        *("either", "few", "couple", "radius", "distance", *(word[:-1] for word in _CONTRACTIONS)),
    )
    return Grammar(
        directed=_compile(
            rf"{_BEFORE_LENGTH}(?:{_COMPARED}|(?P<within>within)\s+|outside\s+(?P<outside>))?"
            rf"{_EXTENT}\s+(?:away\s+)?(?P<phrase>{_any(directions)})"
        ),
        within=_compile(
            rf"{_BEFORE}(?:within|in|inside(?:\s+of)?|(?P<outside>outside(?:\s+of)?|beyond))\s+"
            rf"{_EXTENT}{_CIRCLE}\s+(?:away\s+)?(?:of|from|to|around)"
        ),
        compared=_compile(rf"{_BEFORE_LENGTH}{_COMPARED}{_EXTENT}{_CIRCLE}\s+(?:away\s+)?(?:from|to)"),
        behind=_compile(rf"{_BEFORE_LENGTH}{_EXTENT}{_AFTER_LENGTH}\s+(?:away\s+)?(?:from|to)"),
        plain=_compile(rf"{_BEFORE}(?P<phrase>{_any(phrases)}){not_a_length}"),
        phrases=phrases,
        words=frozenset(word for phrase in vocabulary for word in re.split(r"[\s-]+", phrase)),
    )


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern}){_END}", re.IGNORECASE)
