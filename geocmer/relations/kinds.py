"""The kinds of relations, in one table: how each is said in words, and what it asks of two places.

A new kind is one more row. The parser, the join's weights, the help of `geocmer search` and the list in
`docs/guides/relations.md` are made from the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

REACH = 3.0
"""Times the half distance: there a partner counts 2^-9, and beyond it nothing."""
SECTOR_DEGREES = 45.0
"""To either side of a direction: north, east, south and west share the circle, and so do the four between."""

_QUOTES = frozenset("\"'«»‘’‚“”„‟")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of relation between a hit and its partner.

    Attributes:
        name: the words that stand before the partner's concept: "near".
        synonyms: other words for it. A blank in them stands for blanks or a hyphen.
        antonyms: words for its negation: "far from".
        half_metres: the distance at which a partner counts half; None where a query must give a distance.
        azimuth: the direction from the partner to the hit, degrees clockwise from north; None for any.
        averaged: True if all tiles around count, by their weighted mean, instead of the one best partner.
    """

    name: str
    synonyms: tuple[str, ...] = ()
    antonyms: tuple[str, ...] = ()
    half_metres: float | None = None
    azimuth: float | None = None
    averaged: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """The words as a person may write them, with a distance where there must be one."""
        return self.name if self.half_metres is not None else f"{self.name} 2 km of"

    @property
    def meaning(self) -> str:
        """What holds, in one phrase."""
        if self.half_metres is None:
            return "up to that distance, fully"
        half, end = _length(self.half_metres), _length(REACH * self.half_metres)
        if self.averaged:
            return f"the surroundings show it: a mean over the tiles around, half weight at {half}, none beyond {end}"
        softly = f"a partner {half} away counts half, one beyond {end} nothing"
        if self.azimuth is None:
            return f"softly: {softly}"
        return f"within {SECTOR_DEGREES:.0f} degrees of the direction; {softly}"


def _direction(azimuth: float, way: str, *spellings: str) -> Kind:
    phrases = [f"{word} of" for word in (way, *spellings)] + [f"to the {word} of" for word in (way, *spellings[:1])]
    return Kind(phrases[0], tuple(phrases[1:]), half_metres=5000.0, azimuth=azimuth)


NEAR = Kind(
    "near",
    (
        *("near to", "close to", "close by", "in the vicinity of", "in the neighborhood of", "in the neighbourhood of"),
        *("in proximity to", "in close proximity to", "in proximity of", "in the proximity of"),
        "in close proximity of",
    ),
    ("far from", "far away from", "away from", "distant from", "remote from", "a long way from"),
    half_metres=1000.0,
)
NEXT_TO = Kind(
    "next to",
    (
        *("beside", "adjacent to", "alongside", "alongside of", "adjoining", "bordering", "bordering on", "abutting"),
        "next door to",
    ),
    half_metres=100.0,
)
WITHIN = Kind("within")
IN = Kind("in", ("inside", "inside of", "within"), ("outside", "outside of"), half_metres=1000.0, averaged=True)
NORTH = _direction(0.0, "north")
NORTHEAST = _direction(45.0, "northeast", "north east", "ne")
EAST = _direction(90.0, "east")
SOUTHEAST = _direction(135.0, "southeast", "south east", "se")
SOUTH = _direction(180.0, "south")
SOUTHWEST = _direction(225.0, "southwest", "south west", "sw")
WEST = _direction(270.0, "west")
NORTHWEST = _direction(315.0, "northwest", "north west", "nw")

KINDS: tuple[Kind, ...] = (
    *(NEAR, NEXT_TO, WITHIN, IN),
    *(NORTH, NORTHEAST, EAST, SOUTHEAST, SOUTH, SOUTHWEST, WEST, NORTHWEST),
)

UNSUPPORTED = ("between", "across from", "opposite of", "opposite to")
"""Words that relate places in a way that cannot be looked for; the parser notes them."""


def may_relate(text: str) -> bool:
    """Tell whether a text may hold a relation or quotes: a quick look at its words, which spares reading most texts.

    If not, the parser leaves it whole: what it finds has a word of a kind, or "from" or "to" after a distance.
    """
    if _QUOTES.intersection(text):
        return True
    phrases = [phrase for kind in KINDS for phrase in (kind.name, *kind.synonyms, *kind.antonyms)]
    others = {"nearby", "within", "in", "inside", "outside", "beyond", "from", "to"}
    decisive = others.union(_words(" ".join([*phrases, *UNSUPPORTED]))) - {"a", "of", "the"}
    return not decisive.isdisjoint(_words(text))


def summary() -> str:
    """Name the kinds for a help text: "near, next to, within 2 km of, in, north of (and so on)"."""
    directed = [kind.name for kind in KINDS if kind.azimuth is not None]
    others = [kind.title for kind in KINDS if kind.azimuth is None]
    return ", ".join([*others, *directed])


def table() -> str:
    """List the kinds as a Markdown table."""
    rows = ["| relation | also | not so | holds |", "|---|---|---|---|"]
    for kind in KINDS:
        words = [
            ", ".join(f"`{word}`" for word in phrases) for phrases in ((kind.title,), kind.synonyms, kind.antonyms)
        ]
        rows.append(f"| {' | '.join(words)} | {kind.meaning} |")
    return "\n".join(rows) + "\n"


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.casefold())


def _length(metres: float) -> str:
    return f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
