"""`geocmer concept`: teaching detectors, and looking after them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .completion import complete_concept
from .console import say
from .options import STORE, StoreDir, open_collection

HELP = """Teach a store what you look for, by hits that you marked or areas that you drew.

A concept is then asked by its name: `geocmer search 'solar near substation'`, `geocmer detect solar`.

Example: geocmer concept make solar --from labels.geojson
"""

Name = Annotated[str, typer.Argument(help="Name of the concept: letters, digits, spaces, - and _.")]
KnownName = Annotated[str, typer.Argument(help="Name of the concept.", autocompletion=complete_concept)]


def make(
    name: Name,
    labels: Annotated[
        Path, typer.Option("--from", help="Hits with yes or no in a column `label`, or areas and points on the ground.")
    ],
    store: StoreDir = STORE,
    column: Annotated[str | None, typer.Option("--label", help="Column that holds the marks. [label]")] = None,
    yes: Annotated[
        list[str] | None, typer.Option("--yes", help="A mark that means yes; every other then means no.")
    ] = None,
    drawn: Annotated[
        int | None, typer.Option("--drawn", min=0, help="Tiles drawn from the store that stand for no. [1000]")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of all chance.")] = 0,
) -> None:
    """Teach a concept, measure it by spatial cross-validation, and keep it in the store.

    The file may be hits of `-o` in which a column `label` was filled in, JSON lines of `geocmer search`, or a vector
    file of what was drawn on a map: a mark speaks of a tile if it covers half of it, or half of it lies in the tile.

    Example: geocmer concept make solar --from labels.geojson
    """
    concept = open_collection(store).make_concept(name, labels, column=column, yes=yes or (), drawn=drawn, seed=seed)
    say(f"concept {concept.name!r}, version {concept.version}")
    for line in concept.measured.lines():
        say(line)


def list_(store: StoreDir = STORE) -> None:
    """List the concepts of a store.

    Example: geocmer concept list
    """
    for concept in open_collection(store).concepts():
        measured = concept.measured
        print(
            f"{concept.name}\tversion {concept.version}\t{measured.yes} yes\tprecision {measured.precision}\t"
            f"recall {measured.recall}"
        )


def show(name: KnownName, store: StoreDir = STORE) -> None:
    """Show what a concept was taught with, and how good it is.

    Example: geocmer concept show solar
    """
    concept = open_collection(store).concept(name)
    print(f"{concept.name}, version {concept.version}, made {concept.made}, for vectors of {concept.encoder.title}")
    for line in concept.measured.lines():
        print(line)


def remove(name: KnownName, store: StoreDir = STORE) -> None:
    """Remove a concept from a store.

    Example: geocmer concept remove solar
    """
    open_collection(store).remove_concept(name)
    say(f"concept {name!r} removed")


def export(
    name: KnownName,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write, JSON.")],
    store: StoreDir = STORE,
) -> None:
    """Write a concept to a file, for another store whose vectors the same model made.

    Example: geocmer concept export solar -o solar.json
    """
    open_collection(store).export_concept(name, output)
    say(f"concept {name!r} written to {output}")


def import_(
    file: Annotated[Path, typer.Argument(help="File that `geocmer concept export` wrote.")],
    store: StoreDir = STORE,
    name: Annotated[str | None, typer.Option("--name", help="Name to keep it under. [its own]")] = None,
) -> None:
    """Take a concept from a file.

    Example: geocmer concept import solar.json
    """
    concept = open_collection(store).import_concept(file, name)
    say(f"concept {concept.name!r}, version {concept.version}, taken from {file}")


PARTS = {"make": make, "list": list_, "show": show, "remove": remove, "export": export, "import": import_}
"""The commands of the group, by name."""
