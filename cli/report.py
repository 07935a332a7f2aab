"""`geocmer report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geocmer.errors import InputError

from . import options as opt
from .console import say


def report(
    path: Annotated[Path, typer.Argument(metavar="STORE|RUN", help="A store, or the folder of a training run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("report.html"),
    model: opt.Model = None,
    adapter: opt.AdapterDir = None,
) -> None:
    """Write a page about a store or a training run, one HTML file to look at or to send.

    Of a store: where the tiles lie, what became of each scene, the categories, the vectors in two dimensions, and what
    is found by the names of the categories, right and wrong. Of a run: its curves and the figures of the best epoch.

    Example: geocmer report geocmer-store -o report.html
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{output} is no page; give -o a name that ends in .html")
    from geocmer.training.report import is_run, run_report

    if is_run(path):
        run_report(path, path.name).write(output)
    else:
        opt.open_collection(str(path), model=model, adapter=adapter).report(output)
    say(f"written to {output}")
