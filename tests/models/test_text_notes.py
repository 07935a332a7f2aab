from __future__ import annotations

import pytest

from geocmer.models.text_notes import text_notes

LONG = " ".join(["a satellite image of a green field with many trees and some houses"] * 6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a wide river, near (two) lakes & forest - no. 5", None),
        ("foret, for\u00eat, M\u00fcnchen", None),
        ("\U0001f6a2", "\U0001f6a2"),
        ("harbour \U0001f6a2 at sea", "\U0001f6a2"),
        ("\u043e\u0437\u0435\u0440\u043e near river", "\u043e\u0437\u0435\u0440\u043e"),
        ("\u6e56", "\u6e56"),
        (f"{LONG} and a large blue lake", "a large blue lake"),
    ],
)
def test_what_is_not_read_is_said(text: str, said: str | None) -> None:
    notes = list(text_notes("bundled", [text]))
    assert len(notes) == (said is not None)
    assert all(str(said) in note or note.endswith("...'") for note in notes)


def test_nothing_is_said_of_towers_that_are_not_known() -> None:
    assert list(text_notes("ViT-B-32/laion2b", ["\U0001f6a2"])) == []
