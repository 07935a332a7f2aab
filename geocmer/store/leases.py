"""Leases: which versions of a table somebody reads, so that upkeep leaves them there however long that takes.

A lease is a file named after the version, which its reader holds locked; the system ends the lock with the process, so
a reader that is killed keeps nothing. Who cannot write to the store, or reads it from an object store, has no lease:
there the age of a version decides (`versions.GRACE`).
"""

from __future__ import annotations

import os
import uuid
import weakref
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which refuses to remove a file that is open, and so needs no lock
    fcntl = None  # type: ignore[assignment]

FOLDER = "readers"
"""Of a store, with a file for each lease."""


def take_lease(reader: object, folder: Path, version: int) -> None:
    """Keep a version from being cleared for as long as `reader` lives.

    Args:
        reader: what holds the version.
        folder: of the table.
        version: its number.
    """
    path = folder.parent / FOLDER / f"{folder.stem}-{version}-{uuid.uuid4().hex}"
    try:
        path.parent.mkdir(exist_ok=True)
        handle = _lock_new(path)
    except OSError:  # nothing can be written there, or the file system has no locks: the age of the version decides
        return
    weakref.finalize(reader, _release, path, handle, os.getpid())


def leased_versions(folder: Path) -> set[int]:
    """Return the versions of the table in a folder that somebody reads; leases of readers that are gone are removed."""
    found = set()
    place, table = folder.parent / FOLDER, folder.stem
    for path in sorted(place.glob(f"{table}-*")) if place.is_dir() else ():
        version = path.name.removeprefix(f"{table}-").split("-")[0]
        if version.isdecimal() and _is_held(path):
            found.add(int(version))
    return found


def _lock_new(path: Path) -> int:
    """Make a file and lock it. Upkeep may remove it before it is locked; then another is made."""
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_SH)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:  # removed between the two looks
            pass
        except OSError:
            os.close(handle)
            path.unlink(missing_ok=True)
            raise
        os.close(handle)


def _is_held(path: Path) -> bool:
    """Tell whether a lease's reader lives; the lease is removed if not."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:  # of another user: take it for held
        return True
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except OSError:
        return True
    finally:
        os.close(handle)
    if fcntl is None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return True
    return False


def _release(path: Path, handle: int, owner: int) -> None:
    """End a lease. A forked process that ends has a copy of the handle, but the lease is its parent's."""
    os.close(handle)
    if os.getpid() == owner:
        path.unlink(missing_ok=True)
