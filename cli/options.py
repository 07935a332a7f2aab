"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geocmer.models.families import known_forms

from .console import say

if TYPE_CHECKING:
    from geocmer.geometry.region import Region
    from geocmer.models.encoder import Encoder
    from geocmer.models.text_encoder import NumpyTextEncoder
    from geocmer.store.filter import Filter
    from geocmer.store.store import Store

StoreDir = Annotated[Path, typer.Option("--store", envvar="GEOCMER_STORE", help="Folder of the store.")]
STORE = Path("geocmer-store")
Model = Annotated[
    str | None,
    typer.Option("--model", help=f"Towers: {known_forms()}."),
]
AdapterDir = Annotated[Path | None, typer.Option("--adapter", help="Adapter written by `geocmer train`.")]
Device = Annotated[str, typer.Option("--device", help="auto, cuda, mps or cpu.")]
Bbox = Annotated[
    str | None,
    typer.Option("--bbox", help="west,south,east,north in degrees (WGS84); west > east crosses the antimeridian."),
]
RegionText = Annotated[
    str | None,
    typer.Option("--region", help="Polygon: a GeoJSON or GeoPackage file in any CRS, or WKT in WGS84."),
]
Category = Annotated[str | None, typer.Option("--category", help="Only tiles of this scene category.")]
Since = Annotated[str | None, typer.Option("--since", help="Only scenes taken on or after this date (YYYY-MM-DD).")]
Until = Annotated[str | None, typer.Option("--until", help="Only scenes taken on or before this date (YYYY-MM-DD).")]
Gsd = Annotated[
    str | None,
    typer.Option("--gsd", metavar="LO..HI", help="Only tiles of this ground resolution, metres; a side may be empty."),
]
Where = Annotated[
    str | None,
    typer.Option("--where", help="Condition on the land cover, as 'built_up > 0.3 and not (water > 0.1)'."),
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


def day(text: str | None) -> date | None:
    """Read a date, or a time as an export writes it; without a zone it is in UTC.

    Raises:
        InputError: it is neither.
    """
    from geocmer.errors import InputError

    if text is None:
        return None
    for read in (date.fromisoformat, datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            moment = read(text.strip())
            naive = isinstance(moment, datetime) and moment.tzinfo is None
            return moment.replace(tzinfo=UTC) if naive and isinstance(moment, datetime) else moment
    raise InputError(f"date {text!r} is not YYYY-MM-DD")


def open_store(path: Path, as_of: str | None = None) -> Store:
    """A store, or what it was; which version that is, is said.

    Raises:
        InputError: `as_of` is no version, date or time.
        StoreError: there is no such store, or no such version any more.
    """
    from geocmer.store.store import Store
    from geocmer.store.versions import parse_version

    store = Store.open(path, parse_version(as_of)) if as_of is not None else Store.open(path)
    if store.as_of:
        say(f"reading version {store.as_of}")
    return store


def filter_of(
    bbox: str | None,
    region: str | None,
    category: str | None,
    since: str | None,
    until: str | None,
    gsd: str | None,
    where: str | None,
) -> Filter:
    """Make the filter that a command's options describe.

    Raises:
        InputError: one of them cannot be read, or they contradict each other.
    """
    from geocmer.store.filter import Filter

    return Filter(region_of(bbox, region), category, day(since), day(until), gsd_of(gsd), where)


def say_undated(store: Store, filter: Filter) -> None:
    """Say how many tiles have no time, where a period leaves them out."""
    count = store.snapshot().undated if filter.period != (None, None) else 0
    if count:
        say(f"{count} tiles of the store have no date; --since and --until leave them out")


def gsd_of(text: str | None) -> tuple[float | None, float | None] | None:
    """Finest and coarsest ground resolution, from "LO..HI", "LO..", "..HI" or one number for both.

    Raises:
        InputError: it is none of them.
    """
    from geocmer.errors import InputError

    if text is None:
        return None
    finest, dots, coarsest = text.partition("..")
    try:
        low, high = (float(side) if side.strip() else None for side in (finest, coarsest if dots else finest))
    except ValueError as error:
        raise InputError(f"gsd {text!r} is not LO..HI in metres; write for instance 0.3..10") from error
    return low, high


def region_of(bbox: str | None, region: str | None) -> Region | None:
    """The region asked for.

    Raises:
        InputError: both are given, or one cannot be read.
    """
    from geocmer.errors import InputError
    from geocmer.geometry.bbox import BBox
    from geocmer.geometry.region import Region

    if bbox is not None and region is not None:
        raise InputError(f"--bbox {bbox} and --region {region} were both given; use one of them")
    if bbox is not None:
        return Region.from_bbox(BBox.parse(bbox))
    if region is None:
        return None
    found = Region.parse(region)
    if found.note:
        say(found.note)
    return found


def encoder_of(store: Store | None, model: str | None, adapter: Path | None, device: str) -> Encoder:
    """The encoder the user names, else the one that built the store, else the bundled one; its device is said."""
    from geocmer.models.backbone import BUNDLED
    from geocmer.models.encoder import Encoder

    built = store.encoder if store else None
    if model is None and adapter is None and built is not None:
        encoder = Encoder.of_store(built.model, built.adapter, device)
    else:
        encoder = Encoder.load(_model_for(model, adapter) or BUNDLED, adapter, device)
    say(f"model {encoder.backbone.spec} on {encoder.backbone.device}")
    return encoder


def words_of(store: Store, model: str | None, adapter: Path | None, device: str) -> NumpyTextEncoder | None:
    """The text side alone, for a question in words, where the store's model is the bundled one and nothing is named."""
    from geocmer.models.text_encoder import NumpyTextEncoder

    built = store.encoder
    if built is None or model or adapter or device != "auto":
        return None
    found = NumpyTextEncoder.of_store(built.model, built.adapter)
    if found:
        say(f"model {found.spec}")
    return found


def _model_for(model: str | None, adapter: Path | None) -> str | None:
    """An adapter names its towers; they need not be named again."""
    if model is None and adapter is not None:
        from geocmer.models.adapter_config import read_config
        from geocmer.models.trust import require_known

        backbone = read_config(adapter).backbone
        require_known(backbone, "", f"adapter {adapter}")
        return backbone
    return model
