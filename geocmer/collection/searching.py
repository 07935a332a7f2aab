"""Searching: questions about the tiles, and their answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._files import is_file
from ..errors import InputError
from ..store.filter import Filter
from .opening import Opening

if TYPE_CHECKING:
    from ..export.hits import Hits
    from ..export.label_widget import LabelWidget
    from ..search.results import Hit

Keep = Literal["best", "newest", "all"]
"""Which of the hits that show the same place are kept."""


class Searching(Opening):
    """What a `Collection` can be asked."""

    def search(
        self,
        *texts: str,
        like: str | Path | Sequence[str | Path] = (),
        minus: str | Sequence[str] = (),
        more: str | Sequence[str] = (),
        less: str | Sequence[str] = (),
        filter: Filter | None = None,
        k: int | None = 10,
        keep: Keep = "best",
        min_score: float | None = None,
        min_probability: float | None = None,
        literal: bool = False,
        category_prior: float | None = None,
        approximate: bool = False,
        locate: bool = False,
        **conditions: Any,
    ) -> Hits:
        """Find the tiles that look most like words, pictures or other tiles, exactly.

        A text that stands alone may ask for relations: "airport near river", "town north of lake and not in forest".

        Args:
            *texts: what to look for; several are averaged.
            like: image files or ids of tiles, averaged with the texts.
            minus: texts to keep away from.
            more: ids of tiles that show what is meant.
            less: ids of tiles that do not.
            filter: conditions that every hit meets.
            **conditions: or the same by name: bbox, region, within, category, since, until, gsd, where;
                see `make_filter`.
            k: how many hits; None for all.
            keep: of hits that show the same place the "best" or the "newest", or "all" of them.
            min_score: least score: a cosine; 0 to 1 for relations.
            min_probability: least probability, 0 to 1, that a tile shows what the words say.
            literal: take a text as one description, with no relation in it.
            category_prior: prefer tiles of the categories that the words suggest, 0 to 1.
            approximate: use an index, made when it is first needed: quicker, and a hit may be missing.
            locate: find where in each tile the question is answered, see `locate`.

        Raises:
            InputError: nothing is asked for, or a value cannot be used.
            StoreError: there is no store, it has no vectors, or another encoder made them.
        """
        from ..export.hits import Hits
        from ..relations.answering import answer_question
        from ..relations.question import Question, SearchOptions

        options = SearchOptions(
            self._filter(filter, conditions, self.search), k, None if keep == "all" else keep, min_score,
            min_probability, category_prior, approximate,
        )  # fmt: skip
        question = Question.of(texts, like, minus, more, less, literal=literal)
        question.read()  # what cannot be read is told before a model is loaded
        encoder = self._query_encoder(images=any(map(is_file, question.like)))
        answer = answer_question(self.store, encoder, question, options, self._notify)
        hits = Hits.of(answer, question.title)
        return self.locate(hits) if locate else hits

    def search_many(
        self,
        texts: Iterable[str],
        *,
        filter: Filter | None = None,
        k: int | None = 10,
        keep: Keep = "best",
        min_score: float | None = None,
        min_probability: float | None = None,
        literal: bool = False,
        category_prior: float | None = None,
        **conditions: Any,
    ) -> Iterator[Hits]:
        """Find for each of many texts what `search` finds for it, in one pass over the vectors.

        Texts with relations are asked one after another. The hits of a text are read when they are looked at.

        Args:
            texts: what to look for, each by itself.
            filter: conditions that every hit of every text meets.
            k: how many hits for each text; None for all.
            keep: as of `search`, and so are the others.
            min_score: least score.
            min_probability: least probability.
            literal: take each text as one description, with no relation in it.
            category_prior: prefer tiles of the categories that the words suggest.
            **conditions: or the conditions by name.

        Raises:
            InputError: a text cannot be read, or a value cannot be used.
            StoreError: there is no store, it has no vectors, or another encoder made them.
        """
        from ..export.hits import Hits
        from ..relations.many_questions import answer_questions
        from ..relations.question import Question, SearchOptions

        questions = [Question([text], literal=literal) for text in texts]
        options = SearchOptions(
            self._filter(filter, conditions, self.search_many), k, None if keep == "all" else keep, min_score,
            min_probability, category_prior,
        )  # fmt: skip
        answers = answer_questions(self.store, self._query_encoder(images=False), questions, options, self._notify)
        for question, answer in zip(questions, answers, strict=True):
            yield Hits.of(answer, question.title)

    def label(self, *texts: str, k: int = 24, **options: Any) -> LabelWidget:
        """Search in a notebook, mark by clicks what is meant and what is not, and search again with the marks.

        Args:
            *texts: what to look for.
            k: how many tiles are shown.
            **options: of `search`.

        Raises:
            InputError: `geocmer[notebook]` is not installed, or as `search`.
        """
        try:
            from ..export.label_widget import LabelWidget
        except ModuleNotFoundError as error:
            if error.name not in ("anywidget", "traitlets"):
                raise
            raise InputError(f"marking needs {error.name}; install it with: pip install 'geocmer[notebook]'") from error

        def search(more: Sequence[str] = (), less: Sequence[str] = ()) -> Hits:
            return self.search(*texts, k=k, more=more, less=less, **options)

        return LabelWidget(search(), search)

    def locate(self, hits: Hits) -> Hits:
        """Find where in its tile each hit answers the question: a box, a point, and what each place is worth.

        The tiles are cut from their scenes again and embedded in parts when the hits are read: 25 pictures a hit.

        Raises:
            InputError: the hits answer no question.
            ModelError: the encoder cannot be loaded.
        """
        from ..search.spot import SpotFinder

        if hits.vector is None:
            raise InputError(
                "these tiles answer no question, so there is nothing to find in them; search for something"
            )
        self.store.require_encoder(self.encoder.fingerprint)
        return replace(hits, find_spot=SpotFinder(self.store, self.encoder, hits.vector))

    def explain(self, hits: Iterable[Hit], folder: str | Path) -> list[Path]:
        """Draw a heat map of each hit from `locate` into a folder; return the files.

        Raises:
            InputError: a scene is gone or has changed, a hit has no spot, or nothing can be written there.
        """
        from ..search.heatmap import write_heatmaps

        return list(write_heatmaps(hits, Path(folder)))
