"""`geocmer export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .console import say
from .options import (
    STORE,
    AsOf,
    Bbox,
    Category,
    Gsd,
    RegionText,
    Since,
    StoreDir,
    Style,
    Thumbnails,
    Until,
    Where,
    Within,
    open_collection,
)


def _formats() -> str:
    from geocmer.export import known_formats

    return ", ".join(f"{one.suffix} ({one.name})" for one in known_formats().values())


HELP_WORDS = {"FORMATS": _formats}


def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write, by its suffix; - for stdout.")],
    store: StoreDir = STORE,
    bbox: Bbox = None,
    region: RegionText = None,
    within: Within = None,
    category: Category = None,
    since: Since = None,
    until: Until = None,
    gsd: Gsd = None,
    where: Where = None,
    as_of: AsOf = None,
    thumbnails: Thumbnails = False,
    style: Style = False,
) -> None:
    """Write the footprints of the whole store, or of a filtered part, for a GIS.

    The suffix chooses the format: FORMATS.

    Example: geocmer export -o tiles.gpkg --category forest
    """
    conditions: dict[str, Any] = {"bbox": bbox, "region": region, "category": category, "since": since}
    conditions |= {"until": until, "gsd": gsd, "where": where, "within": within}
    collection = open_collection(store, as_of=as_of)
    count = collection.export(output, thumbnails=thumbnails, style=style, **conditions)
    say(f"{count} tiles written to {output}")
