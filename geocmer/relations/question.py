"""A question in words, pictures and tiles, and which tiles may be hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, TypeAlias

from ..errors import InputError
from ..search.category_prior import check_strength
from ..search.probability import check_number, check_share
from ..store.filter import EVERY_TILE, Filter
from .kinds import may_relate
from .query import Query

Words: TypeAlias = str | Path | Sequence[str | Path]
"""One text, file or id, or several."""
PRINTED_SCORE_STEP = 1e-6
"""Scores are printed with six decimals; one that is given back as the least must keep its own tile."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for.

    Attributes:
        texts: words; several are averaged. One that stands alone may hold relations.
        like: image files or ids of tiles, averaged with the texts.
        minus: texts to keep away from.
        more: ids of tiles that show what is meant.
        less: ids of tiles that do not.
        literal: take a text as one description, with no relation in it.
    """

    texts: Sequence[str] = ()
    like: Sequence[str] = ()
    minus: Sequence[str] = ()
    more: Sequence[str] = ()
    less: Sequence[str] = ()
    literal: bool = False

    @classmethod
    def of(
        cls,
        texts: Words,
        like: Words = (),
        minus: Words = (),
        more: Words = (),
        less: Words = (),
        literal: bool = False,
    ) -> Self:
        """Make a question of parts each of which may be one thing or several.

        Raises:
            InputError: nothing is asked for.
        """

        def several(part: Words) -> list[str]:
            return [str(one) for one in ([part] if isinstance(part, str | Path) else part)]

        if not (several(texts) or several(like) or several(more)):
            raise InputError("nothing is asked for; give a text, --like or --more")
        return cls(several(texts), several(like), several(minus), several(more), several(less), literal)

    @property
    def has_examples(self) -> bool:
        """Whether pictures or tiles are a part of it."""
        return bool(self.like or self.more or self.less)

    @property
    def alone(self) -> bool:
        """Whether it is one text and nothing else: then it may hold relations, or name a concept."""
        return len(self.texts) == 1 and not (self.has_examples or self.minus)

    @property
    def title(self) -> str:
        """What is looked for, for people."""
        return " + ".join(self.texts or self.like or self.more)

    def read(self) -> Query:
        """Read the relations in a text that stands alone; everything else has none.

        Raises:
            InputError: the text cannot be read.
        """
        if not self.alone or self.literal:
            return Query(", ".join(self.texts))
        if (text := self.texts[0]).strip() and not may_relate(text):
            return Query(text.strip())
        from .parser import parse  # compiling its patterns takes as long as reading a small store

        return parse(text)


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Which tiles may be hits, and how many of them are wanted.

    Attributes:
        filter: conditions that every hit meets.
        k: how many hits; None for all.
        keep: which of the hits that show the same place; None keeps all.
        min_score: least score: a cosine; 0 to 1 for relations.
        min_probability: least probability, 0 to 1, that a tile shows what the words say.
        category_prior: prefer tiles of the categories that the words suggest, 0 to 1.
        approximate: take candidates from an index, made when it is first needed.
    """

    filter: Filter = EVERY_TILE
    k: int | None = 10
    keep: Literal["best", "newest"] | None = "best"
    min_score: float | None = None
    min_probability: float | None = None
    category_prior: float | None = None
    approximate: bool = False

    def __post_init__(self) -> None:
        check_number("min_score", self.min_score)
        check_share("min_probability", self.min_probability)
        check_strength(self.category_prior or 0.0)

    @property
    def least(self) -> dict[str, float | None]:
        """The least score and probability, a little lower, so that what was printed keeps its own tile."""
        given = {"min_score": self.min_score, "min_probability": self.min_probability}
        return {name: None if value is None else value - PRINTED_SCORE_STEP / 2 for name, value in given.items()}
