"""Opening the tables of a store: to read through pylance, to write through LanceDB, in a folder or an object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

from ..errors import StoreError
from .address import storage_options

METADATA_CACHE_BYTES = 32 * 2**20
"""Of what Lance keeps of tables and files, in a process: left to itself it keeps that of every version that a long run
makes, 0.25 MB for each scene (measured)."""
INDEX_CACHE_BYTES = 512 * 2**20
"""Of indices: that of a million vectors takes 80 MB."""


def open_dataset(path: str, name: str, version: int | None = None) -> Any:
    """Open a table to read from, as pylance has it, at its newest version or an earlier one.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    import lance

    with translate_errors(path, "read"):
        return lance.dataset(
            table_address(path, name),
            version=version,
            session=_reading_session(),
            storage_options=storage_options(path),
        )


def open_table(path: str, name: str) -> Any:
    """Open a table to write to, as LanceDB has it.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    with translate_errors(path, "open"):
        return connect(path).open_table(name)


def is_local(path: str) -> bool:
    """Return whether a store's path is a folder, and not the address of an object store."""
    return "://" not in path


@contextmanager
def translate_errors(path: str, doing: str) -> Iterator[None]:
    """Raise in one line what LanceDB and the file system raise: no space, no permission, damaged files.

    Args:
        path: of the store.
        doing: what fails, as a verb.

    Raises:
        StoreError: for every error of LanceDB, Arrow and the file system.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # Arrow's errors, where rows are streamed, are ValueErrors
        reason = str(error).split(", /")[0].splitlines()[0]  # LanceDB appends the place in its own source
        raise StoreError(
            f"cannot {doing} the store {path}: {reason}; check the disk, then run it again, or "
            f"`geocmer doctor --fix --store {path}`"
        ) from error


def connect(path: str) -> Any:
    """Connect LanceDB to a store; its tables always show what other processes committed."""
    import lancedb

    always_newest = timedelta(0)  # see other processes' commits
    return lancedb.connect(
        path, read_consistency_interval=always_newest, session=_writing_session(),
        storage_options=storage_options(path),
    )  # fmt: skip


def _reading_session() -> Any:
    """Make a session for one dataset: readers that share one wait for each other, a paused one for ever."""
    from lance import Session  # type: ignore[attr-defined]  # its own stubs leave it out

    return Session(index_cache_size_bytes=INDEX_CACHE_BYTES, metadata_cache_size_bytes=METADATA_CACHE_BYTES)


@cache
def _writing_session() -> Any:
    import lancedb

    return lancedb.Session(index_cache_size_bytes=INDEX_CACHE_BYTES, metadata_cache_size_bytes=METADATA_CACHE_BYTES)


def table_address(path: str, name: str) -> str:
    """Return the address of a table, as pylance opens it."""
    return f"{path.rstrip('/')}/{name}.lance"
