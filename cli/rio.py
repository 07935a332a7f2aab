"""`rio geocmer ...`: the same command among those of rasterio, which are click's; Typer has a click of its own."""

from __future__ import annotations

import sys

import click


@click.command(
    "geocmer",
    short_help="Find places in imagery by words.",
    add_help_option=False,  # --help is geocmer's, for its sub-commands too
    context_settings={"ignore_unknown_options": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run geocmer with these arguments."""
    from .main import main

    sys.argv = ["rio geocmer", *arguments]
    main()
