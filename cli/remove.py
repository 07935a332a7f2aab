"""`geocmer remove`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from .console import say
from .options import STORE, StoreDir


def command() -> Callable[..., None]:
    """The function Typer makes a command of."""
    return remove


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
    from geocmer.store.store import Store

    db = Store.open(store)
    found = list(
        dict.fromkeys(scene for name in scenes for scene in db.find_scenes(name))
    )  # all, before any is removed
    for scene in dict.fromkeys(found):
        say(f"scene {scene[:8]}: {db.remove_scene(scene)} tiles removed")
    db.upkeep()
    say(f"store {store}: {db.count()} tiles, scenes: {len(db.scenes())}")
