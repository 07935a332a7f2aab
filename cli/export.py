"""`geocmer export`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .arguments import Command
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


class CommandWithFormats(Command):
    """A command whose help lists the export formats, which are collected when somebody reads it."""

    _template: str | None = None

    def _with_formats(self) -> str | None:
        from geocmer.export import known_formats

        listed = ", ".join(f"{one.suffix} ({one.name})" for one in known_formats().values())
        return self._template and self._template.replace("FORMATS", listed)

    def _set_template(self, text: str | None) -> None:
        self._template = text

    def _first_paragraph(self) -> str | None:
        """What the list of commands shows: collecting the formats for it would double the time of `geocmer --help`."""
        return self._template and self._template.partition("\n\n")[0]

    help = property(_with_formats, _set_template)
    short_help = property(_first_paragraph, lambda *_: None)


def command() -> Callable[..., None]:
    """Return the function that Typer makes a command of."""
    return export


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
