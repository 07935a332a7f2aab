"""`geocmer doctor`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from .console import printable, progress, say
from .options import STORE, Json, StoreDir, open_collection


def doctor(
    store: StoreDir = STORE,
    fix: Annotated[bool, typer.Option("--fix", help="Fix what can be made again.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not read the scenes to see whether they have changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Examine a store: what is missing, unfinished, damaged or in the way, and what fixes it.

    With --fix it merges and clears what upkeep would, and takes out what is wrong and can be made again; pixels and
    models are left to the commands it names, and nothing that only you have is ever removed. Exit 0: sound, or all was
    fixed; 1: something remains.

    Example: geocmer doctor --store geocmer-store
    """
    collection = open_collection(store, must_exist=False)
    with progress("scenes") as bar:
        report = collection.doctor(fix=fix, quick=quick, progress=bar)
    for finding in report.findings:
        if as_json or not sys.stdout.isatty():
            print(json.dumps(finding.to_json()))
        else:
            print(printable("\n".join(finding.lines())))
    for note in report.notes:
        say(f"note: {note}")
    left = sum(not finding.fixed for finding in report.findings)
    if report.findings:
        say(f"store {store}: {len(report.findings)} findings, {len(report.findings) - left} fixed, {left} remain")
    else:
        say(f"store {store} is sound: {len(collection)} tiles, {len(collection.store.scenes())} scenes")
    if left:
        raise typer.Exit(1)
