"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geocmer.models.families import known_forms

from .arguments import check_sizes
from .completion import complete_category, complete_store, complete_where
from .console import say

if TYPE_CHECKING:
    from geocmer.collection import Collection

StoreDir = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="GEOCMER_STORE",
        metavar="PATH",
        help="Folder of the store, or s3://BUCKET/PATH.",
        autocompletion=complete_store,
    ),
]
STORE = "geocmer-store"
Model = Annotated[
    str | None,
    typer.Option("--model", help=f"Towers: {known_forms()}."),
]
AdapterDir = Annotated[Path | None, typer.Option("--adapter", help="Adapter written by `geocmer train`.")]
Sizes = Annotated[
    str, typer.Option("--size", "--sizes", callback=check_sizes, help="Side of a tile, pixels; several: 224,448.")
]
Views = Annotated[
    int | None,
    typer.Option("--views", help="Views of a tile that are averaged: 1, 2, 4 or 8, at as many times the cost. [1]"),
]
Device = Annotated[str, typer.Option("--device", help="auto, cuda, mps or cpu.")]
Bbox = Annotated[
    str | None,
    typer.Option("--bbox", help="west,south,east,north in degrees (WGS84); west > east crosses the antimeridian."),
]
RegionText = Annotated[
    str | None,
    typer.Option(
        "--region", help="Area: a vector file in any CRS, FILE#layer=NAME, FILE#COLUMN=VALUE, or WKT in WGS84."
    ),
]
Within = Annotated[
    str | None, typer.Option("--within", help="Distance around the points, lines and areas of --region, as 5km.")
]
Category = Annotated[
    str | None,
    typer.Option("--category", help="Only tiles of this scene category.", autocompletion=complete_category),
]
Since = Annotated[
    str | None, typer.Option("--since", help="Only scenes taken on or after this date (YYYY, YYYY-MM or YYYY-MM-DD).")
]
Until = Annotated[str | None, typer.Option("--until", help="Only scenes taken on or before this date, likewise.")]
Gsd = Annotated[
    str | None,
    typer.Option("--gsd", metavar="LO..HI", help="Only tiles of this ground resolution, metres; a side may be empty."),
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        help="Condition in CQL2 on land cover, category, datetime, gsd, size and geometry, as "
        "\"built_up > 0.3 and category = 'forest' and datetime > DATE('2020-01-01')\".",
        autocompletion=complete_where,
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="WHEN", help="Read the store as it was: a version of `geocmer info`, a date or time (UTC)."
    ),
]
Thumbnails = Annotated[bool, typer.Option("--thumbnails", help="Write the pictures too; a map page always has them.")]
Style = Annotated[bool, typer.Option("--style", help="Write a QGIS style beside the file; a GeoPackage holds its own.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout; the default when stdout is not a terminal.")]


class KeepHit(StrEnum):
    """Which of the hits that show the same place is kept."""

    best = "best"
    newest = "newest"


Texts = Annotated[list[str] | None, typer.Argument(help="What to look for, in words; several are averaged.")]
Like = Annotated[list[str] | None, typer.Option(help="Look for what an image file or a tile (its id) shows.")]
Minus = Annotated[list[str] | None, typer.Option(help="Words to keep away from.")]
More = Annotated[list[str] | None, typer.Option(help="Id of a tile that is what was meant.")]
Less = Annotated[list[str] | None, typer.Option(help="Id of a tile that is not.")]
HitCount = Annotated[int, typer.Option("-k", min=1, help="How many hits.")]
AllHits = Annotated[bool, typer.Option("--all", help="Every match, not only -k; see --min-score.")]
Keep = Annotated[KeepHit, typer.Option(help="Which of the hits that show the same place.")]
AllDates = Annotated[bool, typer.Option("--all-dates", help="Keep all hits that show the same place.")]
Approximate = Annotated[
    bool, typer.Option("--approximate", help="Ask an index, quicker and with its recall said; made when first used.")
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Say how the answer was found, and draw where in the tiles, as heat maps.")
]
MinScore = Annotated[float | None, typer.Option("--min-score", help="Least score: a cosine; 0 to 1 for relations.")]
MinProbability = Annotated[
    float | None,
    typer.Option("--min-probability", help="Least probability, 0 to 1, that a tile shows what the words say."),
]
CategoryPrior = Annotated[
    float | None,
    typer.Option("--category-prior", help="Prefer tiles of the categories that the words suggest, 0 to 1. [0]"),
]
Literal = Annotated[
    bool, typer.Option("--literal", help="Take the words as one description; look for no relation in them.")
]
Save = Annotated[
    str | None, typer.Option("--save", metavar="NAME", help="Keep the search in the store, for `geocmer watch NAME`.")
]
Before = Annotated[str | None, typer.Option("--before", hidden=True)]
After = Annotated[str | None, typer.Option("--after", hidden=True)]
"""Of `change`: people look for it here."""
Locate = Annotated[
    bool, typer.Option("--locate", help="Find where in each tile: a box and a point, in every export and on the map.")
]
Heatmaps = Annotated[
    Path | None, typer.Option("--heatmaps", help="Folder for the heat maps of all hits. [--explain: those of ten]")
]
Batch = Annotated[
    Path | None,
    typer.Option(
        "--batch", metavar="FILE", help="Many questions: a text a line, or CSV or JSON lines with id and question."
    ),
]
Preview = Annotated[
    bool,
    typer.Option("--preview", help="Show thumbnails on the terminal: iTerm2, kitty, sixel (Windows), else blocks."),
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="File to write, by its suffix; - for stdout.")]


def open_collection(path: str, *, must_exist: bool = True, **options: Any) -> Collection:
    """Open the store of a command; what it has to tell is said.

    Raises:
        InputError: `as_of` is no version, date or time.
        StoreError: there is no such store although it must exist, or no such version any more.
    """
    from geocmer.collection import Collection

    collection = Collection(path, notify=say, **options)
    _ = must_exist and collection.store
    return collection


def conditions(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the conditions on tiles from all arguments of a command, by name."""
    from geocmer.search.criteria import CONDITIONS

    return {name: arguments[name] for name in CONDITIONS if name in arguments}
