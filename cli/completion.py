"""What a shell offers on a press of Tab: stores, categories, conditions, concepts, legends. It never fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from geocmer.store import Snapshot

_TABLE = "tiles.lance"
"""The folder that makes a store of the one that holds it."""


def complete_store(incomplete: str) -> list[str]:
    """Offer the stores in a folder, and the folders on the way to others."""
    typed = Path(incomplete).expanduser()
    parent, start = (typed, "") if incomplete.endswith("/") else (typed.parent, typed.name)
    written = incomplete[: len(incomplete) - len(start)]
    try:
        names = [folder for folder in sorted(parent.iterdir()) if folder.is_dir() and folder.name.startswith(start)]
    except OSError:
        return []
    stores = [f"{written}{folder.name}" for folder in names if (folder / _TABLE).is_dir()]
    return stores or [f"{written}{folder.name}/" for folder in names if start or not folder.name.startswith(".")]


def complete_category(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the scene categories of the store."""
    return [name for snapshot in _store(ctx) for name in sorted(snapshot.categories) if name.startswith(incomplete)]


def complete_where(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the names that a condition may end with: land-cover classes of the store, and what every tile has."""
    from geocmer.store.condition_tree import ATTRIBUTES
    from geocmer.store.where import plain_name

    before, word = re.fullmatch(r"(?s)(.*?)((?:[^\W\d][\w-]*)?)", incomplete).groups()  # type: ignore[union-attr]
    if before and before[-1] not in " (":
        return []  # within a number or a text
    names = {*ATTRIBUTES, *(plain_name(label) for snapshot in _store(ctx) for label in snapshot.labels)}
    return [f"{before}{name}" for name in sorted(names) if name.startswith(word.casefold())]


def complete_concept(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the concepts that the store was taught."""
    from geocmer.search.concept import KIND

    return _records(ctx, KIND, incomplete)


def complete_search(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the searches that the store keeps."""
    from geocmer.search.saved_search import KIND

    return _records(ctx, KIND, incomplete)


def complete_legend(incomplete: str) -> list[str]:
    """Offer the bundled legends, and files of one's own."""
    from geocmer.landcover.bundled_legends import legend_names

    folder, _, _ = incomplete.rpartition("/")
    files = sorted(Path(folder or ".").glob("*")) if not folder or Path(folder).is_dir() else []
    legends = [f"{folder}/{path.name}" if folder else path.name for path in files if path.suffix in (".csv", ".json")]
    return [name for name in [*legend_names(), *legends] if name.startswith(incomplete)]


def _store(ctx: typer.Context) -> Iterator[Snapshot]:
    """Open the store that the command line names so far, if it can be read."""
    from geocmer.store.reader import Reader

    with suppress(Exception):  # whatever is wrong with it is told by the command, not in the middle of a line
        yield Reader.open(str(ctx.params.get("store") or "geocmer-store")).snapshot()


def _records(ctx: typer.Context, kind: str, incomplete: str) -> list[str]:
    from geocmer.store.address import store_address
    from geocmer.store.records import read_records

    with suppress(Exception):
        path = store_address(str(ctx.params.get("store") or "geocmer-store"))
        return [name for name in read_records(path, kind) if name.casefold().startswith(incomplete.casefold())]
    return []
