"""`geocmer tile`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from geocmer.errors import GeocmerError, InputError, ModelError, StoreError
from geocmer.landcover.bundled_legends import legend_names

from .console import progress, say
from .options import STORE, AdapterDir, Device, Json, Model, StoreDir, open_collection


def command() -> Callable[..., None]:
    """Return the function that Typer makes a command of."""
    return tile


def tile(
    scenes: Annotated[list[Path], typer.Argument(help="GeoTIFF or COG files.")],
    store: StoreDir = STORE,
    size: Annotated[int, typer.Option("--size", min=1, help="Side of a tile, pixels.")] = 224,
    stride: Annotated[
        int | None, typer.Option("--stride", min=1, help="Step between tiles, pixels [the size].")
    ] = None,
    bands: Annotated[
        str | None, typer.Option("--bands", help="Red,green,blue band numbers, for instance 4,3,2.")
    ] = None,
    gsd: Annotated[float | None, typer.Option("--gsd", help="Resample to this ground sample distance, metres.")] = None,
    min_valid: Annotated[
        float, typer.Option("--min-valid", min=0, max=1, help="Least share of valid pixels in a tile.")
    ] = 0.5,
    nodata: Annotated[
        float | None, typer.Option("--nodata", help="A value that means no data, besides what the file declares.")
    ] = None,
    gcps: Annotated[
        bool, typer.Option("--gcps", help="Place scenes without a geotransform by their ground control points.")
    ] = False,
    acquired: Annotated[
        str | None, typer.Option("--datetime", help="When the scenes were taken, ISO 8601 [tags, STAC, file name].")
    ] = None,
    stretch: Annotated[
        str, typer.Option("--stretch", help="Contrast: percentile, minmax, sigma, none, or LO,HI for all scenes alike.")
    ] = "percentile",
    landcover: Annotated[
        Path | None, typer.Option("--landcover", help="Land cover: a raster or a vector file.")
    ] = None,
    legend: Annotated[
        str | None,
        typer.Option("--legend", help=f"{', '.join(legend_names())}, or a CSV/JSON file."),
    ] = None,
    class_column: Annotated[str | None, typer.Option("--class-column", help="Class column of a vector file.")] = None,
    layer: Annotated[str | None, typer.Option("--layer", help="Layer of a vector file that has several.")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="TOML rules from class shares to a category.")] = None,
    no_embed: Annotated[bool, typer.Option("--no-embed", help="Store the tiles without vectors.")] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first scene that cannot be used; else it is left out.")
    ] = False,
    model: Model = None,
    adapter: AdapterDir = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Divide scenes into tiles, give each a scene category, embed and store it.

    The contrast stretch is computed once per scene. The last row and column shift inward, so that no pixel is left
    out. Run it again after an interrupt and it goes on; run it again when done and it does nothing.

    A scene that cannot be used is named and left out, and the exit code is then 1; --fail-fast stops at it.

    Example: geocmer tile scene.tif --landcover worldcover.tif --legend esa_worldcover
    """
    from geocmer.ingest.plan import IngestPlan

    plan = IngestPlan.of(
        size=size, stride=stride, bands=bands, gsd=gsd, min_valid=min_valid, nodata=nodata, gcps=gcps,
        datetime=acquired, stretch=stretch, landcover=landcover, legend=legend, class_column=class_column, layer=layer,
        rules=rules,
    )  # fmt: skip
    bad: list[Path] = []
    for path in scenes:
        with _left_out(path, bad, fail_fast or len(scenes) == 1):
            plan.check(path)
    if len(bad) == len(scenes):
        raise InputError(f"none of the {len(scenes)} scenes can be used, for the reasons above")
    collection = open_collection(store, model=model, adapter=adapter, device=device, must_exist=False)
    for path in [path for path in scenes if path not in bad]:
        result = None
        with _left_out(path, bad, fail_fast or len(scenes) == 1), progress(path.name) as bar:
            result = collection.add(path, plan=plan, embed=not no_embed, progress=bar)
        if result is None:
            continue
        for line in result.lines():
            say(line)
        if as_json:
            print(json.dumps(result.to_json()))
    say(f"store {store}: {len(collection)} tiles, scenes: {len(collection.store.scenes())}")
    if bad:
        names = ", ".join(str(path) for path in bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        say(f"error: {len(bad)} of {len(scenes)} scenes were left out, for the reasons above: {names}")
        raise typer.Exit(1)


@contextmanager
def _left_out(path: Path, bad: list[Path], stop: bool) -> Iterator[None]:
    """Name a scene that cannot be used and go on, unless asked to stop; a fault of the store or the model stops all."""
    try:
        yield
    except (StoreError, ModelError):
        raise
    except GeocmerError as error:
        if stop:
            raise
        bad.append(path)
        say(f"error: {path}: {error}")
