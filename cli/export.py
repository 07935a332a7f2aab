"""`geocmer export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options as opt
from .console import say


def _formats() -> str:
    from geocmer.export import known_formats

    return ", ".join(f"{one.suffix} ({one.name})" for one in known_formats().values())


HELP_WORDS = {"FORMATS": _formats}


def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write, by its suffix; - for stdout.")],
    store: opt.StoreDir = opt.STORE,
    bbox: opt.Bbox = None,
    region: opt.RegionText = None,
    within: opt.Within = None,
    category: opt.Category = None,
    since: opt.Since = None,
    until: opt.Until = None,
    gsd: opt.Gsd = None,
    where: opt.Where = None,
    as_of: opt.AsOf = None,
    thumbnails: opt.Thumbnails = False,
    style: opt.Style = False,
) -> None:
    """Write the footprints of the whole store, or of a filtered part, for a GIS.

    The suffix chooses the format: FORMATS.

    Example: geocmer export -o tiles.gpkg --category forest
    """
    conditions = opt.conditions(locals())
    collection = opt.open_collection(store, as_of=as_of)
    count = collection.export(output, thumbnails=thumbnails, style=style, **conditions)
    say(f"{count} tiles written to {output}")
