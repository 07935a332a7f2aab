"""A question -> the hits that answer it: by relations where its words have some, else by likeness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .._files import is_file
from ..errors import InputError
from ..models.text_notes import text_notes
from ..search.category_prior import DEFAULT_STRENGTH, category_offsets
from ..search.concepts import concepts_of
from ..search.ivf import INDEX_MIN_TILES, IvfIndex
from ..search.probability import Calibration, ProbabilityModel, background, calibration_of
from ..search.query_vector import build_query
from ..search.results import Answer
from ..search.vector_search import nearest_tiles
from ..store.store import Store
from .likely import check_min_probability, say_if_unlikely
from .notes import notes
from .query import Query
from .question import Question, SearchOptions
from .taught import taught_concepts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.text_encoder import TextEncoder
    from ..search.concept import Concept
    from ..store.records import Records

Notify: TypeAlias = Callable[[str], None]
"""Gets a line about how the words were read, and about the index."""


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
