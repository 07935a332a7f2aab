"""Opening the tables of a store through pylance, in a folder or an object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import StoreError
from .address import storage_options
from .durability import has_version

METADATA_CACHE_BYTES = 32 * 2**20
"""Of what Lance keeps of tables and files, in a process: left to itself it keeps that of every version that a long run
makes, 0.25 MB for each scene (measured)."""
INDEX_CACHE_BYTES = 512 * 2**20
"""Of indices: that of a million vectors takes 80 MB."""


def open_dataset(path: str, name: str, version: int | None = None) -> Any:
    """Open a table at its newest version or an earlier one. A handle stays at its version until it writes.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    import lance

    with translate_errors(path, "read"):
        return lance.dataset(
            table_address(path, name),
            version=version,
            session=_session(),
            storage_options=storage_options(path),
        )


def find_dataset(path: str, name: str) -> Any | None:
    """Open a table at its newest version, or return None where it was never made.

    Raises:
        StoreError: it cannot be read.
    """
    if is_local(path):  # Lance takes a folder that a killed process left without a version for a damaged table
        return open_dataset(path, name) if has_version(Path(path) / f"{name}.lance") else None
    try:
        return open_dataset(path, name)
    except StoreError as error:
        if "not found" in str(error).lower():
            return None
        raise


def is_local(path: str) -> bool:
    """Return whether a store's path is a folder, and not the address of an object store."""
    return "://" not in path


@contextmanager
def translate_errors(path: str, doing: str) -> Iterator[None]:
    """Raise in one line what Lance and the file system raise: no space, no permission, damaged files.

    Args:
        path: of the store.
        doing: what fails, as a verb.

    Raises:
        StoreError: for every error of Lance, Arrow and the file system.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # Arrow's errors, where rows are streamed, are ValueErrors
        reason = str(error).split(", /")[0].splitlines()[0]  # Lance appends the place in its own source
        raise StoreError(
            f"cannot {doing} the store {path}: {reason}; check the disk, then run it again, or "
            f"`geocmer doctor --fix --store {path}`"
        ) from error


def _session() -> Any:
    """Make a session for one handle: readers that share one wait for each other, a paused one for ever."""
    from lance import Session  # type: ignore[attr-defined]  # its own stubs leave it out

    return Session(index_cache_size_bytes=INDEX_CACHE_BYTES, metadata_cache_size_bytes=METADATA_CACHE_BYTES)


def table_address(path: str, name: str) -> str:
    """Return the address of a table, as pylance opens it."""
    return f"{path.rstrip('/')}/{name}.lance"
