"""A file is written whole or not at all, and an error says where it went wrong."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hits import HITS, TABLES, reopen

from geocmer._files import atomic_path
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
        ("hits.Shp", "name it "),
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


# -- what a killed process left ----------------------------------------------------------------------------------------


def _export_for_ever(folder: str, name: str, begun: Any) -> None:
    """Write a file that never becomes whole."""
    if name == "by itself":
        with atomic_path(Path(folder) / "figure.png") as draft:
            draft.write_bytes(b"half")
            begun.set()
            time.sleep(60)

    def endless() -> Iterator[Hit]:
        yield HITS[0]
        begun.set()
        time.sleep(60)

    write(endless(), Path(folder) / name)


@pytest.mark.skipif(os.name == "nt", reason="there the system keeps no locks on folders")
@pytest.mark.parametrize("name", ["hits.csv", "by itself"])
def test_the_drafts_of_killed_processes_are_removed_by_the_next_and_those_of_living_ones_are_not(
    tmp_path: Path, name: str
) -> None:
    fork = multiprocessing.get_context("fork")
    begun = [fork.Event() for _ in range(2)]
    living, killed = (fork.Process(target=_export_for_ever, args=(str(tmp_path), name, event)) for event in begun)
    left: list[set[Path]] = []
    for process, event in ((living, begun[0]), (killed, begun[1])):
        process.start()
        assert event.wait(30)
        left.append({*tmp_path.iterdir()} - set[Path]().union(*left))
    killed.kill()
    killed.join()
    stranger = tmp_path / ".geocmer-link"
    stranger.symlink_to(tmp_path.parent)
    try:
        write(HITS, tmp_path / "other.csv")
        assert all(draft.exists() for draft in left[1]), "so young that its process may be about to lock it"
        for draft in left[0] | left[1]:
            os.utime(draft, (0, 0))
        write(HITS, tmp_path / "other.csv")
        assert {*tmp_path.iterdir()} == {*left[0], stranger, tmp_path / "other.csv"}
    finally:
        living.kill()
        living.join()
    write(HITS, tmp_path / "other.csv")
    assert {*tmp_path.iterdir()} == {stranger, tmp_path / "other.csv"}
