"""`geocmer detect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geocmer._files import require_folder
from geocmer.errors import InputError

from . import options as opt
from .completion import complete_concept
from .console import say

RASTERS = (".tif", ".tiff")


def _suffixes() -> str:
    from geocmer.export.detections import detection_suffixes

    return ", ".join(detection_suffixes())


HELP_WORDS = {"SUFFIXES": _suffixes}


def detect(
    name: Annotated[
        str,
        typer.Argument(
            help="A concept that was taught, see `geocmer concept`, or words.", autocompletion=complete_concept
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="File to write, by its suffix.",
        ),
    ],
    store: opt.StoreDir = opt.STORE,
    min_probability: Annotated[
        float | None, typer.Option("--min-probability", help="Least probability of a tile, for polygons. [0.5]")
    ] = None,
    resolution: Annotated[
        float | None, typer.Option("--resolution", help="Side of a pixel of the raster, in units of its CRS.")
    ] = None,
    bbox: opt.Bbox = None,
    region: opt.RegionText = None,
    within: opt.Within = None,
    category: opt.Category = None,
    since: opt.Since = None,
    until: opt.Until = None,
    gsd: opt.Gsd = None,
    where: opt.Where = None,
    as_of: opt.AsOf = None,
) -> None:
    """Find every place that shows a concept, or what words say: polygons with areas, or a raster.

    All tiles are scored, and neighbours merged into one polygon. Polygons are written to SUFFIXES.

    To a .tif goes the probability of every place, of all dates the greatest, as a COG that opens in QGIS.

    Example: geocmer detect solar -o found.gpkg
    """
    conditions = opt.conditions(locals())
    collection, raster = opt.open_collection(store, as_of=as_of), output.suffix.lower() in RASTERS
    if raster and min_probability is not None:
        raise InputError(f"--min-probability {min_probability:g} is of polygons; a raster has every probability")
    if resolution is not None and not raster:
        raise InputError(f"--resolution {resolution:g} is of a raster; name one with -o FILE.tif")
    if raster:
        require_folder(output)
    else:
        from geocmer.export.detections import require_detections_file

        require_detections_file(output)
    if raster:
        width, height = collection.write_probabilities(name, output, resolution=resolution, **conditions)
        say(f"{width} x {height} pixels written to {output}")
        return
    from geocmer.collection.teaching import MIN_PROBABILITY

    least = MIN_PROBABILITY if min_probability is None else min_probability
    found = collection.detect(name, min_probability=least, **conditions)
    found.save(output)
    if not len(found):
        say(f"no tile reaches a probability of {least:g}; see `geocmer search`, or lower --min-probability")
    say(f"{len(found)} polygons, {found.areas.sum() / 1e6:.3f} km2, written to {output}")
