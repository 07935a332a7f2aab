"""`geocmer search --batch`: one file of hits for each question of a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import progress, say

if TYPE_CHECKING:
    from geocmer.collection import Collection


def search_batch(
    collection: Collection, questions: Path, into: Path | None, options: dict[str, Any], others: Sequence[str]
) -> None:
    """Answer the questions of a file into a folder: `ID.geojson` each, and `index.csv`.

    Args:
        collection: what is asked.
        questions: a file of them.
        into: the folder; made if it is not there.
        options: of `Collection.search_many`.
        others: options that were given and do not go with many questions.
    """
    from geocmer._files import write_atomically
    from geocmer.errors import InputError
    from geocmer.relations.question_file import read_questions

    if others:
        raise InputError(f"--batch does not go with {', '.join(others)}; leave it out, or ask one question")
    asked = read_questions(questions)
    if into is None:
        raise InputError("--batch writes a file for each question; name their folder with -o DIR")
    if into.exists() and not into.is_dir():
        raise InputError(f"{into} is a file; name a folder with -o DIR")
    index = io.StringIO()
    rows = csv.writer(index)
    rows.writerow(["id", "question", "hits", "file"])
    with progress("questions") as advance:
        for number, (question, hits) in enumerate(
            zip(asked, collection.search_many([one.text for one in asked], **options), strict=True), 1
        ):
            _make(into)  # with the first answer: what is refused leaves no folder behind
            file = f"{question.id}.geojson"
            rows.writerow([question.id, question.text, hits.save(into / file), file])
            advance(number, len(asked))
    write_atomically(into / "index.csv", index.getvalue())
    say(f"{len(asked)} questions answered in {into}; index.csv lists them")


def _make(folder: Path) -> None:
    from geocmer.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made ({error.strerror}); give another with -o DIR") from error
