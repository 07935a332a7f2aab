"""Files of questions, as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from geocmer.errors import InputError
from geocmer.relations.question_file import read_questions


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("q.txt", "airport\n\n a lake near road \r\n", [("0001", "airport"), ("0003", "a lake near road")]),
        ("q.txt", '\ufeffSee, "x"\n', [("0001", 'See, "x"')]),
        ("q.csv", "id,question\na,airport\n,lake\n", [("a", "airport"), ("0003", "lake")]),
        ("q.CSV", 'query\n"lake, or river"\n', [("0002", "lake, or river")]),
        ("q.jsonl", '{"id": 7, "text": "airport"}\n"lake"\n', [("7", "airport"), ("0002", "lake")]),
        (
            "q.jsonl",
            '{"text": "salt\u2028flat"}\r\n"dry\x85lake"\n',
            [("0001", "salt\u2028flat"), ("0002", "dry\x85lake")],
        ),
        ("q.csv", 'question\n\n"lake\nor river"\n', [("0004", "lake\nor river")]),
    ],
)
def test_what_is_read(tmp_path: Path, name: str, text: str, expected: list[tuple[str, str]]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert [tuple(found) for found in read_questions(tmp_path / name)] == expected


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("q.txt", b"\n \n", "holds no question"),
        ("q.csv", b"name\nlake\n", "line 2: no question; the words go in the field 'question'"),
        ("q.jsonl", b'{"id": 1, "question": "lake"}\n{"id": 2}\n', "line 2: no question"),
        ("q.csv", b"id,question\n", "fields id and question"),
        ("q.txt", b"\xff\xfe\x00", "no text in UTF-8"),
        ("q.csv", b"id,question\na,lake\na,river\n", "the id 'a' twice"),
        ("q.csv", b"id,question\n../a,lake\n", "cannot name a file"),
        ("q.jsonl", b"{lake}\n", "line 1: no JSON"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as refusal:
        read_questions(tmp_path / name)
    assert says in str(refusal.value)
    with pytest.raises(InputError, match="give a file"):
        read_questions(tmp_path / "absent.txt")
