"""Annotation files as records: JSON, JSON lines, CSV, and folders of Hugging Face, whatever they call their fields.

Files come from many systems: byte order marks are read as such, and nothing is guessed of another encoding.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError

METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.json", "metadata.parquet")
"""Names of the annotation files of Hugging Face image folders, in each split's folder or beside them."""

ANNOTATION_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")

_DELIMITERS = ",\t;|"


def annotation_files(path: Path) -> list[Path]:
    """Find the annotation files of a set: the file itself, or those of a folder.

    Raises:
        InputError: there is none, or a folder has several that do not belong together.
    """
    if not path.is_dir():
        return [path]
    for folder in (path, path / "data"):
        found = [file for name in METADATA_NAMES for file in sorted([*folder.glob(name), *folder.glob(f"*/{name}")])]
        if found:
            return found
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in ANNOTATION_SUFFIXES)
    if len(files) == 1:
        return files
    names = ", ".join(file.name for file in files[:5]) or "none"
    raise InputError(
        f"{path} is a folder with no metadata.csv, .jsonl or .parquet (files: {names}); give one of its files"
    )


def read_records(path: Path) -> Any:
    """Read an annotation file: what a JSON file holds, or the records of JSON lines, Parquet or a table with a header.

    Raises:
        InputError: it is missing, is not text, or is none of these.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    text = _read_text(path)
    if path.suffix.lower() in (".csv", ".tsv"):
        return list(_table(path, text))
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) > 1 and error.msg == "Extra data":
            return _json_lines(path, lines)
        raise InputError(f"{path} is not JSON ({error}); give JSON, JSON lines (.jsonl) or a table (.csv)") from error
    except RecursionError as error:
        raise InputError(f"{path} is not an annotation file (its JSON is nested too deeply)") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members, of which a second one of a name would replace the first in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise InputError(f"an object has {twice!r} twice; put both into one")
    return found


def _parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        records: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            f"{path} is no Parquet file ({reason}); give the annotation file of a captioned set"
        ) from error
    return records


def _json_lines(path: Path, lines: list[str]) -> list[Any]:
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line, object_pairs_hook=_unique))
        except (json.JSONDecodeError, RecursionError, InputError) as error:
            raise InputError(f"{path} is not JSON lines (record {number}: {error}); correct that line") from error
    return records


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the annotation file of a captioned set") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); give the annotation file of a captioned set") from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _table(path: Path, text: str) -> Iterator[Mapping[str, str]]:
    text = text.lstrip("\r\n")
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    delimiter = max(_DELIMITERS, key=header.count)
    # strict: a quote that is never closed would take all rows after it for one caption
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        names = _numbered(re.sub(r"[\s-]+", "_", name.strip().lower()) for name in next(rows, []))
        for number, row in enumerate(rows, 2):
            if len(row) > len(names):
                raise InputError(
                    f"{path} has {len(row)} values in row {number} but {len(names)} columns; quote captions that hold "
                    f"the separator {delimiter!r}"
                )
            if row:
                yield dict(zip(names, (value.strip() for value in row), strict=False))
    except csv.Error as error:
        raise InputError(f"{path} is not a table (line {rows.line_num}: {error}); give CSV with a header") from error


def _numbered(names: Iterable[str]) -> list[str]:
    """Number the columns that have the name of an earlier one, as pandas does: caption, caption_1, caption_2."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        found.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found
