"""Files: writing them whole or not at all, hashing them, and finding those that ship with geocmer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, which becomes `path` when the block ends well, and is removed when not.

    The name keeps the suffix of `path`, as some writers choose their format by it.
    """
    draft = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file whose name is only taken once its content is whole; text is UTF-8."""
    with atomic_path(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def hash_file(path: Path) -> str:
    """Hash a file's bytes: blake2b-128 as 32 hex digits. The whole file is read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def is_file(path: str | Path) -> bool:
    """Return whether a path is that of a file; a text that can be no path, as it is too long, is not."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def bundled_file(*parts: str) -> Traversable:
    """Find a file or folder of the data that ships with geocmer."""
    return files("geocmer").joinpath("data", *parts)
