"""`geocmer import`."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import progress, say
from .options import STORE, Device, Model, StoreDir, open_collection


def import_(
    tables: Annotated[list[str], typer.Argument(help="GeoParquet tables of embeddings, on the disk or a server.")],
    store: StoreDir = STORE,
    model_name: Annotated[
        str | None, typer.Option("--model-name", help="What made the vectors, by name: search by tiles.")
    ] = None,
    model: Model = None,
    vector_column: Annotated[
        str | None, typer.Option("--vector-column", help="Column of the vectors, if there are several.")
    ] = None,
    width: Annotated[
        float | None, typer.Option("--width", min=0.01, help="Width of a tile, metres, where rows are points.")
    ] = None,
    size: Annotated[int, typer.Option("--size", min=1, help="Side of a tile, pixels that the model saw.")] = 224,
    device: Device = "auto",
) -> None:
    """Import embeddings that others made, such as those of Major TOM, Clay, Tessera or Earth Genome.

    A table has a column of vectors, and footprints or points. With --model, a model that geocmer loads, words can be
    asked; with --model-name, tiles: --like TILE_ID, --more, --less. A table is one commit, and imported once.

    A row that cannot be used is named and left out, and the exit code is then 1.

    Example: geocmer import embeddings.parquet --model-name clay-v1.5
    """
    collection = open_collection(store, model=model, device=device, must_exist=False)
    bad = 0
    for table in tables:
        with progress("rows") as bar:
            report = collection.import_embeddings(
                table, model_name=model_name, vector_column=vector_column, width=width, size=size, progress=bar
            )
        bad += report.bad
        for line in report.lines():
            say(line)
    say(f"store {store}: {len(collection)} tiles, scenes: {len(collection.store.scenes())}")
    if bad:
        say(f"error: {bad} rows were left out, for the reasons above")
        raise typer.Exit(1)
