"""Many questions at once: those that are one vector in one pass over the tiles, the others one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import InputError
from ..search.batch_search import nearest_tiles_of_each
from ..search.probability import calibration_of
from ..search.results import Answer
from ..store.store import Store
from .question import Notify, Question, SearchOptions, answer_question, question_vector

if TYPE_CHECKING:
    from ..models.text_encoder import TextEncoder


def answer_questions(
    store: Store, encoder: TextEncoder, questions: Sequence[Question], options: SearchOptions,
    notify: Notify,
) -> Iterator[Answer]:  # fmt: skip
    """Answer each question as `answer_question` does, in their order.

    Relations, `keep="newest"`, k=None, a least probability, a category prior and an index rank in ways of their own, so
    such questions are asked one after another.

    Raises:
        InputError: a question cannot be read, before any is answered; or as `answer_question`.
        FingerprintError: another encoder made the vectors.
        StoreError: the store has no vectors.
    """
    store.require_encoder(encoder.fingerprint)
    apart = options.k is None or options.keep == "newest" or options.min_probability is not None
    apart |= bool(options.category_prior) or options.approximate
    calibration, vectors = calibration_of(encoder), {}
    for number, question in enumerate(questions):
        say = _numbered(notify, number, question)
        try:
            query = question.read()
            if not query.clauses and not apart:
                vectors[number] = question_vector(store, encoder, question, query, calibration, say)
        except InputError as error:
            raise InputError(f"question {number + 1}, {question.title!r}: {error}") from error
    together: Iterator[Answer] = iter(())
    if vectors:
        together = nearest_tiles_of_each(
            store, *zip(*vectors.values(), strict=True), filter=options.filter, k=options.k or 1,
            min_score=options.least["min_score"], keep="best" if options.keep else None,
        )  # fmt: skip
    for number, question in enumerate(questions):
        if number in vectors:
            yield next(together)
        else:
            yield answer_question(store, encoder, question, options, _numbered(notify, number, question))


def _numbered(notify: Notify, number: int, question: Question) -> Notify:
    return lambda line: notify(f"question {number + 1}, {question.title!r}: {line}")
