"""The `geocmer` command: the group of its sub-commands, and how errors leave it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from geocmer import __version__
from geocmer.errors import GeocmerError

from .arguments import use_storage_options
from .commands import CommandGroup
from .console import say
from .notes import warnings_as_notes
from .streams import ReaderGoneError, discard_stdout, guard_stdout

app = typer.Typer(
    cls=CommandGroup,
    help="Find places in your own satellite and aerial imagery by words.",
    epilog="Example: geocmer tile scene.tif, then geocmer search 'airport near river' -o hits.geojson",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug keeps its plain traceback
)


def _version(value: bool) -> None:
    if value:
        print(f"geocmer {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # noqa: ARG001 - its callback acts
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    storage_option: Annotated[
        list[str] | None,
        typer.Option(
            "--storage-option",
            metavar="KEY=VALUE",
            help="How to reach a store on object storage, as region=eu-west-1; also after the command; repeat it.",
        ),
    ] = None,
) -> None:
    use_storage_options(storage_option or [])


def main() -> None:
    """Run the command line: exit 0 done, 1 a named error in one line, 2 usage, 130 interrupted."""
    guard_stdout()
    try:
        try:
            with warnings_as_notes():
                app()  # ends in SystemExit
        finally:
            sys.stdout.flush()
    except GeocmerError as error:
        say(f"error: {error}")
        discard_stdout()
        sys.exit(1)
    except ReaderGoneError:  # `geocmer search ... | head` has enough
        discard_stdout()
        sys.exit(0)


if __name__ == "__main__":
    main()
