"""A new store that two processes make at once: the later one opens what the earlier one made."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import contents, filled, tile, unit

from geocmer.errors import StoreError
from geocmer.store import lance
from geocmer.store.store import Store


def test_the_later_of_two_makers_opens_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store"
    before = contents(filled(path, [tile(number) for number in range(3)], unit(3)))
    there, answers = lance._existing_tables, [set[str]()]  # it looked before the other one was as far
    monkeypatch.setattr(lance, "_existing_tables", lambda place: answers.pop() if answers else there(place))
    lance.create_tables(str(path))
    assert not answers
    assert contents(Store.open(path)) == before


def test_a_table_that_cannot_be_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance, "_existing_tables", lambda _: set())
    (tmp_path / "new" / "tiles.lance").mkdir(parents=True)
    (tmp_path / "new" / "tiles.lance" / "_versions").write_text("in the way")
    with pytest.raises(StoreError, match="cannot make"):
        lance.create_tables(str(tmp_path / "new"))
