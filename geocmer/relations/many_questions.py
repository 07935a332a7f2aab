"""Many questions at once: those that are one vector in one pass over the tiles, the others one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..search.batch_search import nearest_tiles_of_each
from ..search.concepts import concepts_of
from ..search.probability import calibration_of
from ..search.results import Answer
from ..store.store import Store
from .answering import Notify, answer_question, question_vector
from .question import Question, SearchOptions

if TYPE_CHECKING:
    from ..models.text_encoder import TextEncoder
    from ..search.probability import ProbabilityModel

Value = TypeVar("Value")


def answer_questions(
    store: Store, encoder: TextEncoder, questions: Sequence[Question], options: SearchOptions,
    notify: Notify,
) -> Iterator[Answer]:  # fmt: skip
    """Answer each question as `answer_question` does, in their order.

    Words are encoded together, which may move the last digits of their vectors.
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
    calibration, concepts = calibration_of(encoder), concepts_of(store).hold()
    queries = [_naming(number, question, question.read) for number, question in enumerate(questions)]
    asked = [number for number, query in enumerate(queries) if not (query.clauses or apart)]
    words = _Encoded(encoder, [queries[number].concept for number in asked])
    vectors: dict[int, tuple[NDArray[np.float64], ProbabilityModel | None]] = {}
    for number in asked:
        question, say = questions[number], _numbered(notify, number, questions[number])
        ask = partial(question_vector, store, words, question, queries[number], calibration, concepts, say)
        vectors[number] = _naming(number, question, ask)
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
            yield answer_question(store, encoder, question, options, _numbered(notify, number, question), concepts)


def _numbered(notify: Notify, number: int, question: Question) -> Notify:
    return lambda line: notify(f"question {number + 1}, {question.title!r}: {line}")


def _naming(number: int, question: Question, read: Callable[[], Value]) -> Value:
    """Say which question cannot be read."""
    try:
        return read()
    except InputError as error:
        raise InputError(f"question {number + 1}, {question.title!r}: {error}") from error


class _Encoded:
    """An encoder that has encoded some texts together, which takes a quarter of the time of one after another."""

    def __init__(self, encoder: TextEncoder, texts: Sequence[str]) -> None:
        different = list(dict.fromkeys(filter(str.strip, texts)))
        self._encoder, self.fingerprint, self.dim, self.scale = encoder, encoder.fingerprint, encoder.dim, encoder.scale
        self._vectors = dict(zip(different, encoder.encode_texts(different), strict=True)) if different else {}

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Look texts up, or have them encoded."""
        if not all(text in self._vectors for text in texts):
            return self._encoder.encode_texts(texts)
        return np.array([self._vectors[text] for text in texts])
