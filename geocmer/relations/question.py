"""A question in words, pictures and tiles -> the hits: by relations where the words have some, else by likeness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

import numpy as np

from .._files import is_file
from ..errors import InputError
from ..models.text_notes import text_notes
from ..search.category_prior import DEFAULT_STRENGTH, category_offsets, check_strength
from ..search.concepts import concepts_of
from ..search.ivf import INDEX_MIN_TILES, IvfIndex
from ..search.probability import Calibration, ProbabilityModel, background, calibration_of, check_number, check_share
from ..search.query_vector import build_query
from ..search.results import Answer
from ..search.vector_search import nearest_tiles
from ..store.filter import EVERY_TILE, Filter
from ..store.store import Store
from .kinds import may_relate
from .likely import check_min_probability, say_if_unlikely
from .notes import notes
from .query import Query
from .taught import taught_concepts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.text_encoder import TextEncoder
    from ..search.concept import Concept
    from ..store.records import Records

Words: TypeAlias = str | Path | Sequence[str | Path]
"""One text, file or id, or several."""
Notify: TypeAlias = Callable[[str], None]
"""Gets a line about how the words were read, and about the index."""
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


def answer_question(
    store: Store, encoder: TextEncoder, question: Question, options: SearchOptions, notify: Notify,
    concepts: Records[Concept] | None = None,
) -> Answer:  # fmt: skip
    """Find the tiles that answer a question best.

    Args:
        store: where to look.
        encoder: the one that made its vectors; the text side alone serves where `like` names no image file.
        question: what is looked for.
        options: which tiles may be hits, and how many of them are wanted.
        notify: gets lines for the user.
        concepts: of the store, if they are read already.

    Raises:
        InputError: nothing is asked for, a value cannot be used, or does not go with relations.
        FingerprintError: another encoder made the vectors.
        StoreError: the store has no vectors.
    """
    store.require_encoder(encoder.fingerprint)
    calibration = None if question.has_examples else calibration_of(encoder)
    if options.min_probability is not None:
        check_min_probability(question.has_examples, calibration)
    query, concepts = question.read(), concepts or concepts_of(store)
    if query.clauses:
        return _answer_relations(store, encoder, question, query, options, calibration, concepts, notify)
    vector, probability_model = question_vector(store, encoder, question, query, calibration, concepts, notify)
    least = options.least
    answer = nearest_tiles(
        store, vector, filter=options.filter, k=options.k, keep=options.keep,
        category_offsets=_category_offsets(store, encoder, query, options.category_prior),
        index=_index(store, encoder, notify) if options.approximate else None, probability_model=probability_model,
        min_score=least["min_score"], min_probability=least["min_probability"],
    )  # fmt: skip
    if probability_model is not None:
        say_if_unlikely(question.title, answer, notify, among_new=options.filter.scenes is not None)
    return replace(answer, vector=vector)


def _answer_relations(
    store: Store, encoder: TextEncoder, question: Question, query: Query, options: SearchOptions,
    calibration: Calibration | None, concepts: Records[Concept], notify: Notify,
) -> Answer:  # fmt: skip
    taught = _read_words(store, question, query, concepts, notify)
    for name, given in (("category prior", options.category_prior), ("approximate search", options.approximate)):
        if given:
            raise InputError(
                f"{name} does not go with the relations of {question.texts[0]!r}; leave it out, or take the words"
                " as one description (--literal)"
            )
    from .relation_search import relate  # imports scipy

    notify(f"read as: {query} (--literal takes the words as one description)")
    least = options.least
    ask = partial(
        relate, store, query, encoder.encode_texts, filter=options.filter, min_score=least["min_score"],
        calibration=calibration, taught=taught,
    )  # fmt: skip
    answer = ask(k=options.k, keep=options.keep, min_probability=least["min_probability"])
    if calibration is not None:
        best = answer if len(answer) else ask(k=1)
        say_if_unlikely(question.title, best, notify, among_new=options.filter.scenes is not None)
    return answer


def question_vector(
    store: Store, encoder: TextEncoder, question: Question, query: Query,
    calibration: Calibration | None, concepts: Records[Concept], notify: Notify,
) -> tuple[NDArray[np.float64], ProbabilityModel | None]:  # fmt: skip
    """Encode a question without relations as one unit vector (dim,), and say how its words were read.

    Args:
        store: where the tiles are.
        encoder: the one that made its vectors.
        question: what is looked for.
        query: the same, read.
        calibration: of the encoder, if it has one.
        concepts: of the store.
        notify: gets lines about how the words were read.

    Returns:
        The vector, and how probably tiles show what was asked for, if the encoder is calibrated.

    Raises:
        InputError: nothing is asked for, or a value cannot be used.
    """
    taught = _read_words(store, question, query, concepts, notify)
    if query.note:
        notify(f"read as one description: {query.note}")
    if query.concept in taught:
        return taught[query.concept].direction, taught[query.concept].probability_model
    texts = [query.concept] if len(question.texts) == 1 else question.texts
    shown, absent = (
        encoder.encode_texts(words) if words else np.empty((0, encoder.dim), np.float32)
        for words in (texts, question.minus)
    )
    probability_model = None
    if calibration is not None and not question.has_examples:
        probability_model = ProbabilityModel.of(calibration, shown, absent)
    parts = {"like": question.like, "more": question.more, "less": question.less}
    return build_query(store, encoder, shown, minus=absent, **parts), probability_model


def _read_words(
    store: Store, question: Question, query: Query, concepts: Records[Concept], notify: Notify
) -> dict[str, Concept]:
    """Find the concepts that the words name, and say what is read in another way than a person may think."""
    taught, about = taught_concepts(store, question, query, concepts)
    if not question.literal:
        for note in notes(question.texts, others=question.has_examples or bool(question.minus)):
            notify(note)
    for text in filter(is_file, question.texts):
        notify(f"{text!r} is taken as words, and is also a file; to look for what it shows, write --like {text}")
    words = [*(query.concepts if question.alone else question.texts), *question.minus]
    unknown = text_notes(store.encoder.model, words) if store.encoder and words else ()
    for note in (*unknown, *about):
        notify(note)
    return taught


def _category_offsets(
    store: Store, encoder: TextEncoder, query: Query, strength: float | None
) -> dict[str | None, float] | None:
    """Predict the categories from the words, if there are any; the store's categories are read only if that counts."""
    strength = DEFAULT_STRENGTH if strength is None else strength
    categories = list(store.categories()) if query.concept and strength > 0 else []
    return category_offsets(encoder, query.concept, categories, strength)


def _index(store: Store, encoder: TextEncoder, notify: Notify) -> IvfIndex | None:
    """Load the index for approximate search; it is made and measured when it is first asked for."""
    from ..search.ivf_build import build_index

    found = IvfIndex.load(store.snapshot())
    if found is None and store.count() < INDEX_MIN_TILES:
        notify(f"with fewer than {INDEX_MIN_TILES} tiles an exact search is as quick: the answer is exact")
        return None
    if found is None:
        notify(f"making the index of {store.count()} tiles, once: a minute or a few for a million")
        found = build_index(store, encoder.encode_texts(background()))
    notify(f"approximate: {found.recall:.0%} of the true ten best were found over {found.queries} queries")
    return found
