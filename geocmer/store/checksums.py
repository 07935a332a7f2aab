"""Checksums of a store's files, kept once a commit is found whole, so that damage which says nothing is found later.

Lance keeps none: a bit that flips in a data file is read as another number. The files of a table never change, so a
CRC-32 of each, taken while it is still in memory, tells for ever whether it is what was written. It lies beside the
tables, one small file each, so that no two writers share one. Object stores check their own.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._files import write_atomically

FOLDER = "checksums"
"""Of a store, with a folder for each table."""
_READ_BYTES = 2**20
_HEX_DIGITS = 8


def table_files(table: Any, folder: Path) -> dict[int, list[Path]]:
    """List the files of each fragment of a version: data and deletions.

    Args:
        table: as pylance has it.
        folder: of the table.
    """
    found = {}
    for fragment in table.get_fragments():
        files = [folder / "data" / file.path for file in fragment.metadata.files]
        deletion = fragment.metadata.deletion_file
        if deletion is not None:
            files.append(folder / deletion.path(fragment.fragment_id))
        found[fragment.fragment_id] = files
    return found


def record(table: Any, folder: Path) -> None:
    """Keep the checksums of a version's files that have none yet. To be called while they are known to be whole."""
    place = _place(folder)
    place.mkdir(parents=True, exist_ok=True)
    known = {file.name for file in place.iterdir()}
    for files in table_files(table, folder).values():
        for file in files:
            if file.name not in known:
                write_atomically(place / file.name, f"{checksum(file):0{_HEX_DIGITS}x}\n")


def damaged_fragments(table: Any, folder: Path) -> dict[int, Path]:
    """Find the fragments of a version with a file that is not what was written, and name one file of each.

    A file without a checksum, as of a store made before there were any, is not looked at. Every file is read.

    Args:
        table: as pylance has it.
        folder: of the table.
    """
    found = {}
    for number, files in table_files(table, folder).items():
        for file in files:
            kept = _place(folder) / file.name
            try:
                text = kept.read_text("ascii").strip()
                if len(text) == _HEX_DIGITS and int(text, 16) != checksum(file):  # it may itself be cut off
                    found[number] = file
            except (FileNotFoundError, ValueError):
                continue
    return found


def forget(folder: Path) -> None:
    """Remove the checksums of files that are gone."""
    current_names = {file.name for part in ("data", "_deletions") for file in _files(folder / part)}
    for kept in _files(_place(folder)):
        if kept.name not in current_names:
            kept.unlink(missing_ok=True)


def checksum(file: Path) -> int:
    """Compute the CRC-32 of a file, a piece at a time."""
    value = 0
    with file.open("rb") as opened:
        while piece := opened.read(_READ_BYTES):
            value = zlib.crc32(piece, value)
    return value


def _place(folder: Path) -> Path:
    return folder.parent / FOLDER / folder.stem


def _files(folder: Path) -> Iterable[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
