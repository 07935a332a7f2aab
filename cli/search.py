"""`geocmer search`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import say
from .options import (
    STORE,
    AdapterDir,
    Bbox,
    Category,
    Device,
    Json,
    Model,
    RegionText,
    Since,
    StoreDir,
    Style,
    Thumbnails,
    Until,
    day,
    encoder_of,
    region_of,
)

if TYPE_CHECKING:
    from geocmer.relate import Related
    from geocmer.search import Answer, Hit


def command() -> Callable[..., None]:
    """The function Typer makes a command of."""
    return search


def search(
    text: Annotated[str, typer.Argument(help="What to look for, in words.")],
    store: StoreDir = STORE,
    bbox: Bbox = None,
    region: RegionText = None,
    category: Category = None,
    since: Since = None,
    until: Until = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many hits.")] = 10,
    min_score: Annotated[
        float | None, typer.Option("--min-score", help="Least score: a cosine; 0 to 1 for relations.")
    ] = None,
    category_prior: Annotated[
        float | None,
        typer.Option("--category-prior", help="Prefer tiles of the categories that the words suggest, 0 to 1. [0]"),
    ] = None,
    literal: Annotated[
        bool, typer.Option("--literal", help="Take the words as one description; look for no relation in them.")
    ] = False,
    heatmaps: Annotated[
        Path | None, typer.Option("--heatmaps", help="Folder for a PNG of each hit: where the focus layers looked.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write, by its suffix.")] = None,
    thumbnails: Thumbnails = False,
    style: Style = False,
    model: Model = None,
    adapter: AdapterDir = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Find the tiles that look most like the words, exactly, within a region.

    "airport near river" asks for two kinds of places and how they lie to each other: near, next to, within 2 km of, in,
    north of, not near; several are joined by "and". See the page on relations.

    Filters apply before ranking, so a region or a category never shortens the answer below -k while enough tiles match.

    Example: geocmer search "airport near river" --bbox=-79,35,-78,36 -o hits.geojson
    """
    from geocmer.errors import InputError
    from geocmer.export import attributes, write
    from geocmer.prior import STRENGTH, category_weights
    from geocmer.query import Query, parse
    from geocmer.relate import relate
    from geocmer.search import search as run
    from geocmer.store import Store

    query = Query(text) if literal else parse(text)
    area = region_of(bbox, region)
    db = Store.open(store)
    encoder = encoder_of(db, model, adapter, device)
    db.check(encoder.fingerprint)
    answer: Answer | Related
    if query.clauses:
        if category_prior:
            raise InputError(f"--category-prior does not go with the relations of {text!r}; leave it, or add --literal")
        say(f"read as: {query} (--literal takes the words as one description)")
        answer = relate(
            db, query, encoder.encode_texts, region=area, category=category, since=day(since), until=day(until), k=k,
            min_score=min_score,
        )  # fmt: skip
    else:
        if query.note:
            say(f"read as one description: {query.note}")
        vector = encoder.encode_texts([query.concept])[0]
        strength = STRENGTH if category_prior is None else category_prior
        weights = category_weights(encoder, query.concept, list(db.categories()), strength)
        answer = run(
            db, vector, region=area, category=category, since=day(since), until=day(until), k=k, min_score=min_score,
            weights=weights,
        )  # fmt: skip
    if output:
        count = write(answer, output, title=text, thumbnails=thumbnails, style=style)
        say(f"{count} hits written to {output}")
    elif as_json or not sys.stdout.isatty():
        for hit in answer.hits:
            print(json.dumps(attributes(hit)))
    else:
        _table(answer.hits)
    if heatmaps:
        from geocmer.explain import explain

        count = sum(1 for _ in explain(db, encoder, answer.hits, heatmaps))
        say(f"{count} heat maps written to {heatmaps}")
    if not answer.hits:
        say("no tile matches; widen the region or the filters, or see what the store holds with `geocmer info`")


def _table(hits: list[Hit]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("rank", "score", "category", "centre (lon, lat)", "scene", "row, col")
    related = any(hit.partners for hit in hits)
    if related:
        table.add_column("partner")
    for hit in hits:
        centre = hit.geometry.centroid
        where = f"{centre.x:.5f}, {centre.y:.5f}"
        table.add_row(
            str(hit.rank),
            f"{hit.score:.3f}",
            hit.category or "",
            where,
            Path(hit.uri or "").name,
            f"{hit.row}, {hit.col}",
            *([_partners(hit)] if related else []),
        )
    Console().print(table)


def _partners(hit: Hit) -> str:
    """The distance of each partner, and where it lies."""
    lines = []
    for partner in hit.partners:
        where = "same tile"
        if partner.id != hit.id:
            centre = partner.geometry.centroid
            where = f"{partner.distance_m:,.0f} m, at {centre.x:.5f}, {centre.y:.5f}"
        lines.append(f"{partner.relation}: {where}")
    return "\n".join(lines)
