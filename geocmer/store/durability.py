"""Whether what was committed is on the disk: syncing files, finding torn ones, stepping back to a whole version.

LanceDB commits a write although a write to one of its files failed, and syncs nothing: after a full disk or a power cut
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
    torn = []
    whole = set() if whole is None else whole
    for fragment in table.get_fragments():
        for file in fragment.metadata.files:
            if file.path in whole:
                continue
            size = _size(folder / "data" / file.path)
            if size is None or size != (file.file_size_bytes or size) or not size:
                torn.append(f"{file.path} has {size or 0} of {file.file_size_bytes} bytes")
            else:
                whole.add(file.path)
        deletion = fragment.metadata.deletion_file
        if deletion is not None and not _size(folder / deletion.path(fragment.fragment_id)):
            torn.append(f"{deletion.path(fragment.fragment_id)} is empty")
    return torn


def torn_fragments(table: Any, folder: Path) -> list[int]:
    """List the fragments of a version that have a torn data file."""
    return [
        fragment.fragment_id
        for fragment in table.get_fragments()
        if any(_size(folder / "data" / file.path) != file.file_size_bytes for file in fragment.metadata.files)
    ]


def step_back(address: str, folder: Path) -> str:
    """Make the newest whole version of a table its newest one; what is damaged stays on the disk, out of the way.

    Args:
        address: of the table, as pylance opens it.
        folder: the same as a path.

    Returns:
        What was done, in words; "" if the newest version is whole.

    Raises:
        StoreError: no version that holds a row is whole.
    """
    import lance

    unreadable: list[Path] = []
    why = ""
    for number, manifest in _manifests(folder):
        try:
            table = lance.dataset(address, version=number)
            torn = torn_files(table, folder)
        except (OSError, ValueError, RuntimeError) as error:
            unreadable.append(manifest)
            why = why or f"its manifest cannot be read ({str(error).splitlines()[0][:80]})"
            continue
        if torn:
            why = why or torn[0]
            continue
        if why and not table.count_rows():  # a step back to nothing would take the loss for a repair
            break
        for file in unreadable:
            file.replace(file.with_name(file.name + DAMAGED))
        if lance.dataset(address).version != number:
            table.restore()  # type: ignore[no-untyped-call]  # pylance gives it no types
        return (
            f"the newest version of {folder.name} was damaged ({why}); stepped back to version {number}" if why else ""
        )
    raise StoreError(
        f"no version of {folder} can be read whole ({why}); put the store back from a backup, or tile the scenes again "
        "into a new store: their tiles are the same"
    )


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
