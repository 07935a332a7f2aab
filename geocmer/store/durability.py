"""Whether what was committed is on the disk: syncing files, finding torn ones, stepping back to a whole version.

Lance commits a write although a write to one of its files failed, and syncs nothing: after a full disk or a power cut
the newest version may name files that are empty or cut off (measured). So files are compared with the sizes that their
manifest records after each commit, and synced before the commit that makes a scene count. A store on an object store
needs neither.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import StoreError
from .checksums import damaged_fragments

DAMAGED = ".damaged"
"""Suffix that takes a manifest that cannot be read out of the way; nothing is deleted."""
CLOCK_SECONDS = 2.0
"""By so much a file system's times may be coarser than the clock."""


def sync(folder: Path, since: float = 0.0) -> None:
    """Write the files of a table that were changed since a time (of `time.time`), and their names, to the disk.

    Raises:
        OSError: the disk cannot be written.
    """
    for place, _, names in os.walk(folder):
        changed = False
        for name in names:
            file = Path(place) / name
            try:
                if file.stat().st_mtime >= since - CLOCK_SECONDS:
                    changed = True
                    _sync_one(file, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
            except FileNotFoundError:  # another process cleared it
                continue
        if changed and os.name != "nt":  # Windows syncs no folders
            _sync_one(Path(place), os.O_RDONLY)


def torn_files(table: Any, folder: Path, whole: set[str] | None = None) -> list[str]:
    """List the files of a version that are missing, empty or of another size than its manifest says.

    Args:
        table: as pylance has it.
        folder: of the table.
        whole: names of data files that are known to be whole; those that are found to be are added.
    """
    found = (_torn_files(fragment, folder, set() if whole is None else whole) for fragment in table.get_fragments())
    return [torn for of_fragment in found for torn in of_fragment]


def _torn_files(fragment: Any, folder: Path, whole: set[str]) -> Iterator[str]:
    """Name the torn files of a fragment, and why they are."""
    for file in fragment.metadata.files:
        if file.path in whole:
            continue
        size = _size(folder / "data" / file.path)
        if size is None or size != (file.file_size_bytes or size) or not size:  # older files have no size on record
            yield f"{file.path} has {size or 0} of {file.file_size_bytes} bytes"
        else:
            whole.add(file.path)
    deletion = fragment.metadata.deletion_file
    if deletion is not None and not _size(folder / deletion.path(fragment.fragment_id)):
        yield f"{deletion.path(fragment.fragment_id)} is empty"


def torn_fragments(table: Any, folder: Path) -> list[int]:
    """List the fragments of a version that have a torn file."""
    return [one.fragment_id for one in table.get_fragments() if any(True for _ in _torn_files(one, folder, set()))]


def step_back(address: str, folder: Path, read_all: bool = False) -> str:
    """Make a whole version of a table its newest one: an earlier one, or the newest without what is damaged of it.

    Whichever of the two holds more rows is taken. What is damaged stays on the disk, out of the way.

    Args:
        address: of the table, as pylance opens it.
        folder: the same as a path.
        read_all: compare checksums too, for which every file is read.

    Returns:
        What was done, in words; "" if the newest version is whole.

    Raises:
        StoreError: no row of it is whole.
    """
    import lance

    unreadable: list[Path] = []
    why, newest = "", None
    for number, manifest in _manifests(folder):
        try:
            table = lance.dataset(address, version=number)
            torn = torn_files(table, folder)
        except (OSError, ValueError, RuntimeError) as error:
            unreadable.append(manifest)
            why = why or f"its manifest cannot be read ({str(error).splitlines()[0][:80]})"
            continue
        if not torn and read_all:
            torn = [f"{file.name} is not what was written" for file in damaged_fragments(table, folder).values()]
        newest = newest or table
        if torn:
            why = why or torn[0]
            continue
        if not why:
            return ""
        break
    else:
        number, table = 0, None
    rows = table.count_rows() if table is not None else 0
    bad: set[int] = set()
    if newest is not None:
        bad = {*torn_fragments(newest, folder), *(damaged_fragments(newest, folder) if read_all else ())}
    if newest is not None and _rows_beside(newest, bad) > rows:
        _set_aside(unreadable)
        operation = lance.LanceOperation.Delete([], sorted(bad), "damaged")
        lance.LanceDataset.commit(address, operation, read_version=newest.version)
        return (
            f"the newest version of {folder.name} was damaged ({why}); stepped back to version {newest.version} "
            "without the rows of the damaged files"
        )
    # a step back to nothing would take the loss for a repair
    if table is None or not (rows or _is_empty(newest, folder)):
        raise StoreError(
            f"no version of {folder} can be read whole ({why}); put the store back from a backup, or tile the scenes "
            "again into a new store: their tiles are the same"
        )
    _set_aside(unreadable)
    if lance.dataset(address).version != number:
        table.restore()  # type: ignore[no-untyped-call]  # pylance gives it no types
    return f"the newest version of {folder.name} was damaged ({why}); stepped back to version {number}"


def _rows_beside(table: Any, bad: set[int]) -> int:
    """Count the rows of the fragments that are not bad, by what the manifest says of them."""
    fragments = [fragment.metadata for fragment in table.get_fragments() if fragment.fragment_id not in bad]
    return sum(fragment.physical_rows - fragment.num_deletions for fragment in fragments)


def _set_aside(manifests: list[Path]) -> None:
    for file in manifests:
        file.replace(file.with_name(file.name + DAMAGED))


def _is_empty(newest: Any, folder: Path) -> bool:
    """Tell whether no row was ever written to a table, by its newest version that can be read and its folder."""
    data = folder / "data"
    return not newest.get_fragments() and not (data.is_dir() and any(data.iterdir()))


def has_version(folder: Path) -> bool:
    """Return whether a table has a version: a process that is killed while it makes one leaves a folder without."""
    return any(True for _ in _manifests(folder))


def _manifests(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yield the number and manifest of each version, newest first. Lance counts down in the names of newer tables."""
    found = []
    for file in (folder / "_versions").glob("*.manifest"):
        if file.stem.isdecimal():
            number = int(file.stem)
            found.append((2**64 - 1 - number if number > 2**63 else number, file))
    yield from sorted(found, reverse=True)


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _sync_one(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
