"""`geocmer tile`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from geocmer.landcover.bundled_legends import legend_names

from .completion import complete_legend
from .console import progress, say
from .options import STORE, AdapterDir, Device, Json, Model, Sizes, StoreDir, Views, open_collection


def tile(
    scenes: Annotated[
        list[str],
        typer.Argument(
            help="Scenes: GeoTIFF files, folders, globs, @LIST.txt, COGs at https://, s3://, gs:// or az://, STAC "
            "items, collections or searches, GeoParquet tables of scenes."
        ),
    ],
    store: StoreDir = STORE,
    sizes: Sizes = "224",
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
        str,
        typer.Option(
            "--stretch",
            help="Contrast: percentile, minmax, sigma or none of each scene; shared: one for the mosaic of all; or "
            "LO,HI, of all bands or of each.",
        ),
    ] = "percentile",
    landcover: Annotated[
        Path | None, typer.Option("--landcover", help="Land cover: a raster, a folder of rasters, or a vector file.")
    ] = None,
    legend: Annotated[
        str | None,
        typer.Option(
            "--legend", help=f"{', '.join(legend_names())}, or a CSV/JSON file.", autocompletion=complete_legend
        ),
    ] = None,
    class_column: Annotated[str | None, typer.Option("--class-column", help="Class column of a vector file.")] = None,
    layer: Annotated[str | None, typer.Option("--layer", help="Layer of a vector file that has several.")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="TOML rules from class shares to a category.")] = None,
    asset: Annotated[
        str | None, typer.Option("--asset", help="Asset of STAC items [visual, or the only image].")
    ] = None,
    max_cloud: Annotated[
        float | None, typer.Option("--max-cloud", min=0, max=100, help="Leave out scenes with more clouds, percent.")
    ] = None,
    trust_sources: Annotated[
        bool,
        typer.Option("--trust-sources", help="Let VRTs and lists from servers read files here and on other servers."),
    ] = False,
    no_embed: Annotated[bool, typer.Option("--no-embed", help="Store the tiles without vectors.")] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first scene that cannot be used; else it is left out.")
    ] = False,
    ray: Annotated[
        str | None, typer.Option("--ray", metavar="[ADDRESS]", help="Tile on a Ray cluster: local, auto or HOST:PORT.")
    ] = None,
    model: Model = None,
    adapter: AdapterDir = None,
    views: Views = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Divide scenes into tiles, give each a scene category, embed and store it.

    The contrast stretch is computed once per scene, or once for all with --stretch shared. The last row and column
    shift inward, so that no pixel is left out. Run it again after an interrupt and it goes on; run it again when done
    and it does nothing.

    Scenes on servers are read in parts. Credentials are those of GDAL and AWS: AWS_ACCESS_KEY_ID, AWS_PROFILE,
    AWS_NO_SIGN_REQUEST=YES, AWS_ENDPOINT_URL, GDAL_HTTP_BEARER and so on.

    A scene that cannot be used is named and left out, and the exit code is then 1; --fail-fast stops at it.

    Example: geocmer tile scene.tif --landcover worldcover.tif --legend esa_worldcover

    Example: geocmer tile scene.tif --sizes 224,448

    Example: geocmer tile 's3://bucket/2024/*.tif' items.json --asset visual --max-cloud 20
    """
    from geocmer.imagery.scene_list import ListOptions, find_scenes
    from geocmer.ingest.plan import IngestPlan
    from geocmer.ingest.scenes import SceneFailure

    plan = IngestPlan.of(
        sizes=sizes, stride=stride, bands=bands, gsd=gsd, min_valid=min_valid, nodata=nodata, gcps=gcps,
        datetime=acquired, stretch=stretch, landcover=landcover, legend=legend, class_column=class_column, layer=layer,
        rules=rules, trust_sources=trust_sources,
    )  # fmt: skip
    sources = find_scenes(scenes, ListOptions(asset, max_cloud, trust_sources))
    collection = open_collection(store, model=model, adapter=adapter, views=views, device=device, must_exist=False)
    bad: list[str] = []
    for result in collection.add_all(
        sources, plan=plan, embed=not no_embed, fail_fast=fail_fast, on_scene=progress, ray=ray
    ):  # fmt: skip
        if isinstance(result, SceneFailure):
            bad.append(result.scene)
            say(f"error: {result.scene}: {result.reason}")
            continue
        for line in result.lines():
            say(line)
        if as_json:
            print(json.dumps(result.to_json()))
    say(f"store {store}: {len(collection)} tiles, scenes: {len({row.uri for row in collection.store.scenes()})}")
    if bad:
        names = ", ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        say(f"error: {len(bad)} of {len(sources)} scenes were left out, for the reasons above: {names}")
        raise typer.Exit(1)
