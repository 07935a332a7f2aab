"""What lies on the disk of a store, and what its tiles are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from synthetic import contents

from geocmer.store.store import Store

Fault = Callable[[Store], object]


def files_of(store: Store) -> dict[Path, bytes]:
    """Everything in a store but the leases of those who read it now."""
    files = (path for path in Path(store.path).rglob("*") if path.is_file() and path.parent.name != "readers")
    return {path: path.read_bytes() for path in files}


def ids_of(store: Store) -> list[str]:
    return [str(record["id"]) for record in contents(store)]


def data_of(store: Store, table: str = "tiles") -> Path:
    return Path(store.path) / f"{table}.lance" / "data"
