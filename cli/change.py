"""`geocmer change`."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options as opt
from .answer import require_output, write_or_print


def change(
    text: Annotated[str, typer.Argument(help="What to look for, in words.")],
    before: Annotated[
        str, typer.Option("--from", "--before", help="End of the earlier time: YYYY, YYYY-MM or YYYY-MM-DD.")
    ],
    after: Annotated[str, typer.Option("--to", "--after", help="Beginning of the later time, likewise.")],
    gone: Annotated[bool, typer.Option("--gone", help="What the earlier pictures show and the later do not.")] = False,
    store: opt.StoreDir = opt.STORE,
    bbox: opt.Bbox = None,
    region: opt.RegionText = None,
    within: opt.Within = None,
    category: opt.Category = None,
    gsd: opt.Gsd = None,
    where: opt.Where = None,
    k: opt.HitCount = 10,
    every: opt.AllHits = False,
    all_dates: opt.AllDates = False,
    min_score: Annotated[float, typer.Option("--min-score", help="Least difference of probabilities, 0 to 1.")] = 0.0,
    output: opt.Output = None,
    thumbnails: opt.Thumbnails = False,
    style: opt.Style = False,
    model: opt.Model = None,
    adapter: opt.AdapterDir = None,
    device: opt.Device = "auto",
    as_json: opt.Json = False,
) -> None:
    """Find places that show something in later pictures and not in earlier ones, or the reverse with --gone.

    A place is seen at both times if two tiles of one size overlap (intersection over union of 0.3 and more). The score
    is how much more probably the later tile shows it than the earlier one; that one stands beside the hit as its
    partner, in every export, with its date, and with a remark if the season or the resolution differs.

    Example: geocmer change "construction site" --from 2009 --to 2020 -o new.html
    """
    conditions = opt.conditions(locals())
    require_output(output, style=style)
    collection = opt.open_collection(store, model=model, adapter=adapter, device=device)
    hits = collection.change(
        text, before=before, after=after, gone=gone, k=None if every else k, keep="all" if all_dates else "best",
        min_score=min_score, **conditions,
    )  # fmt: skip
    write_or_print(hits, output, thumbnails=thumbnails, style=style, as_json=as_json)
