"""`geocmer info`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .console import printable
from .options import STORE, AsOf, Json, StoreDir, open_store

if TYPE_CHECKING:
    from geocmer.store.store import Store


_SHOWN = 10
"""Versions that are listed on a terminal; JSON has all."""


def command() -> Callable[..., None]:
    """The function Typer makes a command of."""
    return info


def info(store: StoreDir = STORE, as_of: AsOf = None, as_json: Json = False) -> None:
    """Say what a store holds: scenes, tiles, categories, extent, and the encoder that made its vectors.

    It lists the versions that --as-of can read, the newest first: number, time (UTC), tiles.

    Example: geocmer info --store geocmer-store
    """
    facts = _facts(open_store(store, as_of))
    if as_json or not sys.stdout.isatty():
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        if name == "versions":
            _say_versions(value)
        elif isinstance(value, dict):
            print(f"{name}:")
            for key, inner in value.items():
                print(printable(f"  {key}: {inner}"))
        else:
            print(printable(f"{name}: {value}"))


def _facts(db: Store) -> dict[str, Any]:
    scenes, encoder = db.scenes(), db.encoder
    return {
        "store": str(db.path),
        "tiles": db.count(),
        "scenes": {scene.uri: scene.id[:8] for scene in scenes},
        "categories": db.categories(),
        "bounds": _bounds(db),
        "model": encoder.title if encoder else "none yet; run `geocmer embed`",
        "versions": [
            {"version": version.number, "time": f"{version.time:%Y-%m-%dT%H:%M:%SZ}", "tiles": version.rows}
            for version in reversed(db.versions())
        ],
    }


def _say_versions(versions: list[dict[str, Any]]) -> None:
    print("versions:")
    for version in versions[:_SHOWN]:
        print(f"  {version['version']}: {version['time']}, {version['tiles']} tiles")
    if len(versions) > _SHOWN:
        print(f"  and {len(versions) - _SHOWN} older, back to {versions[-1]['version']} of {versions[-1]['time']}")


def _bounds(db: Store) -> list[float] | None:
    """West, south, east, north of all tiles; east exceeds 180 where they cross the antimeridian."""
    from geocmer.store.schema import EXTENT

    batches = [b for b in db.snapshot().scan(EXTENT) if b.num_rows]
    if not batches:
        return None
    ends = [(min, "xmin"), (min, "ymin"), (max, "xmax"), (max, "ymax")]
    return [round(best(best(b[name].to_pylist()) for b in batches), 7) for best, name in ends]
