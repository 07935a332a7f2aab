"""`geocmer watch`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from . import options as opt
from .answer import print_hits, require_output
from .completion import complete_search
from .console import say

NOTHING_NEW = 3
"""Exit code."""


def watch(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A search that was saved with `geocmer search ... --save NAME`. [list them]",
            autocompletion=complete_search,
        ),
    ] = None,
    store: opt.StoreDir = opt.STORE,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; a .geojson is a feed that keeps earlier hits.")
    ] = None,
    peek: Annotated[bool, typer.Option("--peek", help="Look, and count nothing as seen.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the saved search.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Say what is new for a saved search since the last look, after more scenes were tiled.

    Exits with 0 if something is new, 3 if nothing is, 1 on an error. What was looked at counts as seen only once it is
    written or printed, so a look that is cut off is made again.

    Example: geocmer watch ponds -o feed.geojson && echo new ponds
    """
    collection = opt.open_collection(store)
    if name is None:
        for saved in collection.saved_searches():
            asked = " + ".join(saved.texts) or "examples"
            print(f"{saved.name}\t{asked}\tlooked {saved.looked}\t{len(saved.seen)} scenes seen")
        return
    if remove:
        collection.remove_search(name)
        say(f"saved search {name!r} removed")
        return
    require_output(output)
    look = collection.look(name)
    if output:
        collection.write_feed(look, output)
    elif look.hits:
        print_hits(look.hits, as_json=as_json)
    sys.stdout.flush()  # before it counts as seen
    if not peek:
        collection.mark_seen(look)
    say(f"{len(look)} new hits in {len(look.scenes)} new scenes{f', written to {output}' if output else ''}")
    if not look:
        raise typer.Exit(NOTHING_NEW)
