"""`geocmer search`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import printable, say
from .options import (
    STORE,
    AdapterDir,
    AsOf,
    Bbox,
    Category,
    Device,
    Gsd,
    Json,
    Model,
    RegionText,
    Since,
    StoreDir,
    Style,
    Thumbnails,
    Until,
    Where,
    encoder_of,
    filter_of,
    open_store,
    say_undated,
    words_of,
)

if TYPE_CHECKING:
    from geocmer.models.encoder import Encoder
    from geocmer.models.text_encoder import NumpyTextEncoder
    from geocmer.relations.relation_search import Related
    from geocmer.search.ivf import Ivf
    from geocmer.search.results import Answer, Hit
    from geocmer.store.store import Store


EXPLAINED = 10
"""Hits that --explain draws; --heatmaps draws them all."""


class Keep(StrEnum):
    """Which of the hits that show the same place is kept."""

    best = "best"
    newest = "newest"


def command() -> Callable[..., None]:
    """The function Typer makes a command of; its help names the kinds of relations that there are."""
    from geocmer.relations.kinds import summary

    search.__doc__ = _HELP.replace("RELATIONS", summary())
    return search


def search(
    text: Annotated[list[str] | None, typer.Argument(help="What to look for, in words; several are averaged.")] = None,
    store: StoreDir = STORE,
    bbox: Bbox = None,
    region: RegionText = None,
    category: Category = None,
    since: Since = None,
    until: Until = None,
    gsd: Gsd = None,
    where: Where = None,
    as_of: AsOf = None,
    like: Annotated[
        list[str] | None, typer.Option(help="Look for what an image file or a tile (its id) shows.")
    ] = None,
    minus: Annotated[list[str] | None, typer.Option(help="Words to keep away from.")] = None,
    more: Annotated[list[str] | None, typer.Option(help="Id of a tile that is what was meant.")] = None,
    less: Annotated[list[str] | None, typer.Option(help="Id of a tile that is not.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many hits.")] = 10,
    everything: Annotated[bool, typer.Option("--all", help="Every match, not only -k; see --min-score.")] = False,
    keep: Annotated[Keep, typer.Option(help="Which of the hits that show the same place.")] = Keep.best,
    all_dates: Annotated[bool, typer.Option("--all-dates", help="Keep all hits that show the same place.")] = False,
    approximate: Annotated[
        bool,
        typer.Option("--approximate", help="Ask an index, quicker and with its recall said; made when first used."),
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say how the answer was found, and draw where the focus layers looked.")
    ] = False,
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
        Path | None, typer.Option("--heatmaps", help="Folder for the heat maps of all hits. [--explain: those of ten]")
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

    "airport near river" asks for two kinds of places and how they lie to each other; several such relations are joined
    by "and", and "not" turns one round. See the page on relations. There are:
    RELATIONS.

    Filters apply before ranking, so a region or a category never shortens the answer below -k while enough places
    match. Of tiles that show the same place, as where scenes overlap, the best is kept; --keep newest, or --all-dates.

    Example: geocmer search "airport near river" --bbox=-79,35,-78,36 -o hits.geojson
    """
    from geocmer.errors import InputError
    from geocmer.export import attributes, write
    from geocmer.models.text_notes import text_notes
    from geocmer.relations.notes import notes
    from geocmer.relations.parser import parse
    from geocmer.relations.query import Query
    from geocmer.search.category_prior import STRENGTH, category_weights
    from geocmer.search.query_vector import ask
    from geocmer.search.vector_search import search as run

    words = text or []
    alone = len(words) == 1 and not (like or minus or more or less)  # relations are read in a text that stands alone
    query = parse(words[0]) if alone and not literal else Query(", ".join(words))
    asked: dict[str, Any] = {
        "filter": filter_of(bbox, region, category, since, until, gsd, where),
        "k": None if everything else k,
        "min_score": min_score,
        "places": None if all_dates else keep.value,
    }
    for note in () if literal else notes(words, others=bool(like or minus or more or less)):
        say(note)
    for name in words:
        if _is_file(name):
            say(f"{name!r} is taken as words, and is also a file; to look for what it shows, write --like {name}")
    db = open_store(store, as_of)
    encoder = (None if like else words_of(db, model, adapter, device)) or encoder_of(db, model, adapter, device)
    db.require_encoder(encoder.fingerprint)
    if db.encoder and words + (minus or []):
        for note in text_notes(db.encoder.model, [*(query.concepts if alone else words), *(minus or [])]):
            say(note)
    answer: Answer | Related
    if query.clauses:
        for option, given in (("--category-prior", category_prior), ("--approximate", approximate)):
            if given:
                raise InputError(f"{option} does not go with the relations of {words[0]!r}; leave it, or add --literal")
        from geocmer.relations.relation_search import relate

        say(f"read as: {query} (--literal takes the words as one description)")
        answer = relate(db, query, encoder.encode_texts, **asked)
    else:
        if query.note:
            say(f"read as one description: {query.note}")
        strength = STRENGTH if category_prior is None else category_prior
        weights = category_weights(encoder, query.concept, list(db.categories()), strength) if words else None
        texts = [query.concept] if alone else words
        answer = run(
            db,
            ask(db, encoder, texts, like=like or [], minus=minus or [], more=more or [], less=less or []),
            **asked,
            weights=weights,
            index=_index(db, encoder) if approximate else None,
        )
    say_undated(db, asked["filter"])
    if explain:
        for line in answer.plan.lines():
            say(line)
    if answer.plan.hidden:
        say(f"{answer.plan.hidden} hits that show the same places are hidden; see them with --all-dates")
    if output:
        count = write(answer, output, title=" + ".join(text or like or more or []), thumbnails=thumbnails, style=style)
        say(f"{count} hits written to {output}")
    elif as_json or not sys.stdout.isatty():
        for hit in answer:
            print(json.dumps(attributes(hit)))
    else:
        _table(answer.hits)
    if explain or heatmaps:
        _draw(db, encoder_of(db, model, adapter, device), answer, heatmaps, output)
    if not len(answer):
        say("no tile matches; widen the region or the filters, or see what the store holds with `geocmer info`")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # no name that a file can have
        return False


_HELP = search.__doc__ or ""


def _index(store: Store, encoder: Encoder | NumpyTextEncoder) -> Ivf | None:
    """The index for approximate search, made and measured when it is first asked for."""
    from geocmer.relations.calibration import background
    from geocmer.search.ivf import WORTH, Ivf
    from geocmer.search.ivf_build import index

    found = Ivf.of(store.snapshot())
    if found is None and store.count() < WORTH:
        say(f"with fewer than {WORTH} tiles an exact search is as quick: the answer is exact")
        return None
    if found is None:
        say(f"making the index of {store.count()} tiles, once: a minute or a few for a million")
        found = index(store, encoder.encode_texts(background()))
    say(f"approximate: {found.recall:.0%} of the true ten best were found over {found.queries} queries")
    return found


def _draw(store: Store, encoder: Encoder, answer: Answer | Related, folder: Path | None, output: Path | None) -> None:
    """Where the focus layers looked: all hits into a folder that was named, else the first, as far as possible."""
    from geocmer.errors import GeocmerError
    from geocmer.search.heatmap import explain

    into = folder or (output.with_name(f"{output.stem}-explain") if output else Path("geocmer-explain"))
    try:
        count = sum(1 for _ in explain(store, encoder, islice(answer, None if folder else EXPLAINED), into))
    except GeocmerError as error:
        if folder:
            raise
        say(f"no heat maps: {error}")
    else:
        say(f"{count} heat maps written to {into}")


def _table(hits: list[Hit]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("rank", "score", "tile", "category", "centre (lon, lat)", "scene", "row, col")
    related = any(hit.partners for hit in hits)
    if related:
        table.add_column("partner")
    for hit in hits:
        centre = hit.geometry.centroid
        where = f"{centre.x:.5f}, {centre.y:.5f}"
        table.add_row(
            str(hit.rank),
            f"{hit.score:.3f}",
            hit.id[:8],
            printable(hit.category or ""),
            where,
            printable(Path(hit.uri or "").name),
            f"{hit.row}, {hit.col}",
            *([_partners(hit)] if related else []),
        )
    Console(markup=False).print(table)  # a name in brackets is a name


def _partners(hit: Hit) -> str:
    """The distance of each partner, and where it lies."""
    lines = []
    for partner in hit.partners:
        where = "same tile"
        if partner.id != hit.id:
            centre = partner.geometry.centroid
            where = f"{partner.distance_m:,.0f} m, at {centre.x:.5f}, {centre.y:.5f}"
        lines.append(printable(f"{partner.relation}: {where}"))
    return "\n".join(lines)
