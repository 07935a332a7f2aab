"""`geocmer remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import say
from .options import STORE, StoreDir, open_collection


def remove(
    scenes: Annotated[
        list[str], typer.Argument(help="Scenes: the file that was tiled, or the beginning of an id of `geocmer info`.")
    ],
    store: StoreDir = STORE,
) -> None:
    """Remove scenes and all their tiles from a store, unfinished scenes too. The files themselves are left alone.

    A scene that was tiled with several grids is removed with all of them if it is named by its file. Versions before
    the removal can be read for a while, as `geocmer info` lists them.

    Example: geocmer remove scene.tif
    """
    collection = open_collection(store)
    for scene, count in collection.remove(*scenes).items():
        say(f"scene {scene[:8]}: {count} tiles removed")
    say(f"store {store}: {len(collection)} tiles, scenes: {len(collection.store.scenes())}")
