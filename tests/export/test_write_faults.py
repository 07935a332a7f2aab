"""A file is written whole or not at all, and an error says where it went wrong."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hits import HITS, TABLES, reopen

from geocmer.errors import InputError, StoreError
from geocmer.export import known_formats, write
from geocmer.search.results import Hit

# -- whole or not at all ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [*TABLES, ".html"])
@pytest.mark.parametrize("there", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path: Path, suffix: str, there: bool) -> None:
    path = tmp_path / f"hits{suffix}"
    if there:
        path.write_text("precious")

    def failing() -> Iterator[Hit]:
        yield from HITS[:3]
        raise StoreError("the disk with the store was pulled out")

    with pytest.raises(StoreError, match="pulled out"):
        write(failing(), path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == ({path.name: "precious"} if there else {})


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    def full() -> Iterator[Hit]:
        yield HITS[0]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"cannot write .*hits.geojson: No space left on device; ") as refusal:
        write(full(), tmp_path / "hits.geojson")
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "hits.doc",
            f"suffix '.doc'; use one of {', '.join(sorted(known_formats()))}",
        ),
        ("hits", "suffix ''; use one of"),
        ("absent/hits.csv", "does not exist; make it"),
        ("folder.csv", "is a folder"),
    ],
)
def test_where_it_cannot_be_written(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError) as refusal:
        write(HITS, tmp_path / name)
    assert says in str(refusal.value)


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    for hits in (HITS, HITS[:2], [replace(HITS[0], rank=9)]):
        write(hits, tmp_path / "hits.gpkg")
        assert reopen(tmp_path / "hits.gpkg")["rank"].tolist() == [true.rank for true in hits]
