"""Many questions at once: those that are one vector in one pass over the tiles, the others one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from ..errors import InputError
from ..search.batch_search import nearest_tiles_of_each
from ..search.probability import calibration_of
from ..search.results import Answer
from ..store.filter import EVERY_TILE, Filter
from ..store.store import Store
from .question import PRINTED_SCORE_STEP, Question, answer_question, question_vector

if TYPE_CHECKING:
    from ..models.encoder import Encoder
    from ..models.text_encoder import NumpyTextEncoder


def answer_questions(
    store: Store,
    encoder: Encoder | NumpyTextEncoder,
    questions: Sequence[Question],
    *,
    filter: Filter = EVERY_TILE,
    k: int | None = 10,
    keep: Literal["best", "newest"] | None = "best",
    min_score: float | None = None,
    min_probability: float | None = None,
    category_prior: float | None = None,
    notify: Callable[[str], None],
) -> Iterator[Answer]:
    """Answer each question as `answer_question` does, in their order.

    Relations, `keep="newest"`, k=None, a least probability and a category prior rank in ways of their own, so such
    questions are asked one after another.

    Raises:
        InputError: a question cannot be read, before any is answered; or as `answer_question`.
        FingerprintError: another encoder made the vectors.
        StoreError: the store has no vectors.
    """
    store.require_encoder(encoder.fingerprint)
    apart = k is None or keep == "newest" or min_probability is not None or bool(category_prior)
    calibration, vectors = calibration_of(encoder), {}
    for number, question in enumerate(questions):
        try:
            if not question.read().clauses and not apart:
                vectors[number] = question_vector(
                    store, encoder, question, calibration, _numbered(notify, number, question)
                )
        except InputError as error:
            raise InputError(f"question {number + 1}, {question.title!r}: {error}") from error
    together: Iterator[Answer] = iter(())
    if vectors:
        least = None if min_score is None else min_score - PRINTED_SCORE_STEP / 2
        together = nearest_tiles_of_each(
            store, *zip(*vectors.values(), strict=True), filter=filter, k=k or 1, min_score=least,
            keep="best" if keep else None,
        )  # fmt: skip
    for number, question in enumerate(questions):
        if number in vectors:
            yield next(together)
        else:
            yield answer_question(
                store, encoder, question, filter=filter, k=k, keep=keep, min_score=min_score,
                min_probability=min_probability, category_prior=category_prior,
                notify=_numbered(notify, number, question),
            )  # fmt: skip


def _numbered(notify: Callable[[str], None], number: int, question: Question) -> Callable[[str], None]:
    return lambda line: notify(f"question {number + 1}, {question.title!r}: {line}")
