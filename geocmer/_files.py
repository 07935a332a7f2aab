"""Files: writing them whole or not at all, hashing them, and finding those that ship with geocmer."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Self

from .errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_DRAFTS = ".geocmer-"
"""How the name of a folder begins in which a file is made before it takes its place."""
_UNLOCKED_SECONDS = 60.0
"""A folder of drafts that is younger may not be locked yet."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a full disk, or of a user's share of it."""


class Closing:
    """What is closed by `close`, and at the end of a `with` block."""

    def close(self) -> None:
        """Let go of what is open."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name, which becomes `path` when the block ends well, and is removed when not; see `drafts`.

    The name keeps the suffix of `path`, as some writers choose their format by it.
    """
    with drafts(path.parent) as folder:
        draft = folder / f"draft{path.suffix}"
        yield draft
        draft.replace(path)


@contextmanager
def drafts(folder: Path) -> Iterator[Path]:
    """Give a folder of one's own in `folder` to make files in; it is removed with what is left in it.

    It is locked as long as this process lives. What killed processes left there is removed first.
    """
    _sweep(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_DRAFTS) as name:
        handle = _lock(Path(name))
        try:
            yield Path(name)
        finally:
            if handle is not None:
                os.close(handle)


def _lock(folder: Path) -> int | None:
    """Lock a folder; None where another process has it locked, or there are no locks. The system ends them."""
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _sweep(folder: Path) -> None:
    """Remove the drafts in a folder that no living process has locked."""
    found: list[str] = []
    # By `glob` it takes a millisecond for each file of a thousand that go into one folder.
    with suppress(OSError), os.scandir(folder) as entries:  # one that may be written and not be read
        found = [entry.name for entry in entries if entry.name.startswith(_DRAFTS)]
    for left in [folder / name for name in found]:
        with suppress(OSError):  # gone meanwhile, or somebody else's
            if time.time() - left.lstat().st_mtime < _UNLOCKED_SECONDS:
                continue
            handle = _lock(left)
            if handle is not None:
                try:
                    shutil.rmtree(left)
                finally:
                    os.close(handle)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file whose name is only taken once its content is whole; text is UTF-8."""
    with atomic_path(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def naming_disk_errors(folder: Path, option: str) -> Iterator[None]:
    """Turn an error of the file system into one line that names a folder and the option that chooses another.

    Raises:
        InputError: in place of any OSError.
    """
    try:
        yield
    except OSError as error:
        hint = "free space there, or " if error.errno in _FULL else ""
        reason = error.strerror or str(error)
        raise InputError(f"{folder} cannot be written ({reason}); {hint}give another {option}") from error


def require_writable_folder(folder: Path, option: str) -> None:
    """Refuse a folder that cannot be made or written: to be called before the work whose result it will hold.

    Raises:
        InputError: it is a file or lies in one, or it may not be written.
    """
    with naming_disk_errors(folder, option):
        place = next(part for part in (folder, *folder.absolute().parents) if part.exists())
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{place} is a file")
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def require_folder(path: Path) -> None:
    """Refuse a file in a folder that is not there: to be called before the work whose result it will hold.

    Raises:
        InputError: it is not there.
    """
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; make it, or write elsewhere")


@contextmanager
def naming_write_errors(path: Path) -> Iterator[None]:
    """Refuse a file in a folder that is not there, and say in one line why one cannot be written.

    Raises:
        InputError: in place of the errors of the file system, and of GDAL, rasterio and pyogrio.
        BrokenPipeError: as it is; whoever reads closed the pipe, which is no fault of the disk's.
    """
    require_folder(path)
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, RuntimeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        raise InputError(f"cannot write {path}: {reason}; free some space, or write elsewhere") from error


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """Give a folder beside `path` to make a file in, to be moved to its place once it is whole; see `drafts`.

    A folder and not only a temporary name: some drivers lay files of their own beside the one asked for.
    """
    with naming_write_errors(path), drafts(path.parent) as folder:
        yield folder


def check_free_space(folder: Path, size: int, option: str) -> None:
    """Refuse to begin what a disk has no room for.

    Args:
        folder: on the disk; it has to exist.
        size: needed, bytes.
        option: that chooses another folder.

    Raises:
        InputError: there is less space than that.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f"{folder} has {free / 1e6:,.1f} MB left and {size / 1e6:,.1f} MB are needed; free space there, or give "
            f"another {option}"
        )


def reserve(path: Path) -> None:
    """Give a file room on the disk for all of its length.

    A file that was only made long is sparse: where the disk is full, writing to a memory map of it ends the process by
    a signal. Where a file system cannot reserve, nothing happens.

    Raises:
        OSError: there is no room.
    """
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, max(1, path.stat().st_size))
        except OSError as error:
            if error.errno in _FULL:
                raise


def hash_file(path: Path) -> str:
    """Hash a file's bytes: blake2b-128 as 32 hex digits. The whole file is read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def is_file(path: str | Path) -> bool:
    """Return whether a path is that of a file; a text too long for a path, or with a zero byte, is not."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def cache_folder() -> Path:
    """Find the user's folder for what can be computed again; on Linux it is in `$XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        RuntimeError: there is no home folder to find it in.
    """
    import platformdirs

    folder = platformdirs.user_cache_path("geocmer")
    if folder.parts[0].startswith("~"):  # what a user without a home gets: a folder of that name would be made
        raise RuntimeError("could not determine the home folder")
    return folder


def bundled_file(*parts: str) -> Traversable:
    """Find a file or folder of the data that ships with geocmer."""
    return files("geocmer").joinpath("data", *parts)
