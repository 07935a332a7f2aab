"""Files of questions: a text a line, CSV or JSON lines with ids."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError

TEXT_FIELDS = ("question", "query", "text")
"""What the field of the words may be called."""


class FiledQuestion(NamedTuple):
    """A question with the name of its answer."""

    id: str
    text: str


def read_questions(path: Path) -> list[FiledQuestion]:
    """Read the questions of a file: `.csv` and `.jsonl` with fields `id` and `question`, else a text a line.

    Empty lines count for nothing; a question without an id is called by its line, `0007`.

    Raises:
        InputError: the file cannot be read, holds no question or a record without one, or names two answers alike.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(f"cannot read the questions {path}: {reason}; give a file with a question a line") from error
    width = max(4, len(str(text.count("\n") + 1)))
    found = []
    for number, record in _records(path, text):
        words = next((str(record[name]).strip() for name in TEXT_FIELDS if record.get(name)), "")
        name = str(record.get("id") or "").strip() or f"{number:0{width}}"
        if words:
            found.append(FiledQuestion(name, words))
        elif any(str(value or "").strip() for value in record.values()):
            raise InputError(f"{path}, line {number}: no question; the words go in the field {TEXT_FIELDS[0]!r}")
    names = [question.id for question in found]
    if not found:
        raise InputError(f"{path} holds no question; write one a line, or fields id and question")
    if len(set(names)) < len(names):
        raise InputError(
            f"{path} has the id {Counter(names).most_common(1)[0][0]!r} twice; each answer needs a name of its own"
        )
    if unfit := next((name for name in names if not re.fullmatch(r"[^\W_][\w. -]{0,99}", name)), None):
        raise InputError(f"{path}: the id {unfit!r} cannot name a file; use letters, digits, '-', '_' and '.'")
    return found


def _records(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a file, each with the number of its line."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        rows = csv.DictReader(io.StringIO(text))
        yield from ((rows.line_num, record) for record in rows)
        return
    for number, line in enumerate(text.split("\n"), 1):  # a line ends nowhere else, as at U+2028 within a text
        if suffix not in (".jsonl", ".ndjson"):
            yield number, {"question": line}
            continue
        try:
            record = json.loads(line) if line.strip() else {}
        except ValueError as error:
            raise InputError(f"{path}, line {number}: no JSON ({str(error)[:60]})") from error
        yield number, record if isinstance(record, dict) else {"question": record}
