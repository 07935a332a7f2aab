"""The `geocmer` command: its sub-commands, and how errors leave it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from geocmer import __version__
from geocmer.errors import GeocmerError

from . import doctor, embed, evaluate, export, info, remove, search, tile, train
from .arguments import Command
from .console import say

app = typer.Typer(
    help="Find places in your own satellite and aerial imagery by words.",
    epilog="Example: geocmer tile scene.tif, then geocmer search 'airport near river' -o hits.geojson",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug keeps its plain traceback
)
for module in (tile, search, train, evaluate, embed, export, info, remove, doctor):
    app.command(cls=Command)(module.command())


def _version(value: bool) -> None:
    if value:
        print(f"geocmer {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line: exit 0 done, 1 a named error in one line, 2 usage, 130 interrupted."""
    try:
        app()
    except GeocmerError as error:
        say(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on where it stopped")
        sys.exit(130)
    except BrokenPipeError:  # `geocmer search ... | head` closed its end
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
