"""`geocmer series`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import options as opt
from .console import say


def series(
    text: Annotated[str, typer.Argument(help="What to look for, in words.")],
    at: Annotated[str, typer.Option("--at", metavar="LON,LAT", help="The place, degrees (WGS84).")],
    store: opt.StoreDir = opt.STORE,
    minus: opt.Minus = None,
    as_of: opt.AsOf = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write: .csv, .json, or .png for a chart.")
    ] = None,
    model: opt.Model = None,
    adapter: opt.AdapterDir = None,
    device: opt.Device = "auto",
    as_json: opt.Json = False,
) -> None:
    """Tell how probably one place shows something at each time it was seen.

    Of the tiles of a scene that hold the place, the one counts in which it lies most centrally.

    Example: geocmer series "flooded fields" --at=-78.6,35.8 -o series.csv
    """
    if output:
        from geocmer.export.series import require_series_file

        require_series_file(output)
    collection = opt.open_collection(store, as_of=as_of, model=model, adapter=adapter, device=device)
    found = collection.series(text, at=at, minus=minus or [])
    if output:
        say(f"{found.save(output)} times written to {output}")
    elif as_json or not sys.stdout.isatty():
        for record in found.records():
            print(json.dumps(record))
    else:
        from geocmer.search.probability import percent

        for one in found.observations:
            print(f"{one.datetime:%Y-%m-%d}  {percent(one.probability):>14}  {one.id[:8]}  {one.scene or ''}")
