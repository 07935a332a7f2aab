"""`geocmer info`."""

from __future__ import annotations

import json
import sys
from typing import Any

from .console import printable
from .options import STORE, AsOf, Json, StoreDir, open_collection

_SHOWN = 10
"""Versions that are listed on a terminal; JSON has all."""


def info(store: StoreDir = STORE, as_of: AsOf = None, as_json: Json = False) -> None:
    """Say what a store holds: scenes, tiles, categories, extent, and the encoder that made its vectors.

    It lists the versions that --as-of can read, the newest first: number, time (UTC), tiles.

    Example: geocmer info --store geocmer-store
    """
    facts = open_collection(store, as_of=as_of).info()
    if as_json or not sys.stdout.isatty():
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        if name == "versions":
            _print_versions(value)
        elif name == "scenes":
            _print_scenes(value)
        elif name == "damaged_scenes":
            for uri, scene in value.items():
                print(printable(f"damaged record of a scene: {uri} ({scene}); see `geocmer doctor`"))
        elif isinstance(value, dict):
            print(f"{name}:")
            for key, inner in value.items():
                print(printable(f"  {key}: {inner}"))
        else:
            print(printable(f"{name}: {value}"))


def _print_scenes(scenes: dict[str, list[dict[str, Any]]]) -> None:
    print("scenes:")
    for uri, grids in scenes.items():
        for grid in grids:
            line = f"{grid['tiles']} tiles of {grid['size']} pixels, {grid['side_m']:,g} m"
            print(printable(f"  {uri}: {grid['id']}, {line}"))


def _print_versions(versions: list[dict[str, Any]]) -> None:
    print("versions:")
    for version in versions[:_SHOWN]:
        print(f"  {version['version']}: {version['time']}, {version['tiles']} tiles")
    if len(versions) > _SHOWN:
        print(f"  and {len(versions) - _SHOWN} older, back to {versions[-1]['version']} of {versions[-1]['time']}")
