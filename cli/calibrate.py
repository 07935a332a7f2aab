"""`geocmer calibrate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .console import progress, say
from .options import AdapterDir, Device, Json, Model


def calibrate(
    pairs: Annotated[
        list[str],
        typer.Argument(help="Annotation files of captioned or labelled sets; their `val` splits are looked at."),
    ],
    figure: Annotated[
        Path | None, typer.Option("--figure", help="PNG to draw: what was said against what was so.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure only; write no calibration.")] = False,
    model: Model = None,
    adapter: AdapterDir = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Make the calibration of an adapter, by which hits have probabilities, and tell what it is worth.

    It is written into the adapter's folder, also for the adapter that ships. `geocmer train` does the same at its end.
    What is told was measured on concepts that a fit has not seen.

    Example: geocmer calibrate rsicd/captions.json eurosat/labels.json --adapter my-adapter
    """
    from geocmer.training.recalibrate import recalibrate

    with progress("images") as bar:
        found = recalibrate(
            pairs, model=model, adapter=adapter, device=device, figure=figure, dry_run=dry_run, progress=bar, notify=say
        )
    if as_json:
        print(json.dumps(found.to_json()))
        return
    for line in found.lines():
        print(line)
