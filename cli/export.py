"""`geocmer export`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

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
    filter_of,
    open_store,
    say_undated,
)


def command() -> Callable[..., None]:
    """The function Typer makes a command of."""
    return export


def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write, by its suffix.")],
    store: StoreDir = STORE,
    bbox: Bbox = None,
    region: RegionText = None,
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

    The suffix chooses the format: .html (a map page), .gpkg (GeoPackage), .geojson, .geojsonl or .geojsons (a feature a
    line), .parquet (GeoParquet), .stac.parquet, .fgb (FlatGeobuf) or .csv.

    Example: geocmer export -o tiles.gpkg --category forest
    """
    from geocmer.export import write
    from geocmer.search.vector_search import iter_tiles

    filter = filter_of(bbox, region, category, since, until, gsd, where)
    db = open_store(store, as_of)
    chosen = iter_tiles(db, filter)
    count = write(chosen, output, title=str(store), source=db.snapshot(), thumbnails=thumbnails, style=style)
    say_undated(db, filter)
    say(f"{count} tiles written to {output}")
