"""`geocmer info`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .options import STORE, Json, StoreDir

if TYPE_CHECKING:
    from geocmer.store import Store


def command() -> Callable[..., None]:
    """The function Typer makes a command of."""
    return info


def info(store: StoreDir = STORE, as_json: Json = False) -> None:
    """Say what a store holds: scenes, tiles, categories, extent, and the encoder that made its vectors.

    Example: geocmer info --store geocmer-store
    """
    from geocmer.store import Store

    facts = _facts(Store.open(store))
    if as_json or not sys.stdout.isatty():
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, inner in value.items():
                print(f"  {key}: {inner}")
        else:
            print(f"{name}: {value}")


def _facts(db: Store) -> dict[str, Any]:
    scenes, encoder = db.scenes(), db.encoder
    return {
        "store": str(db.path),
        "tiles": db.count(),
        "scenes": {scene.uri: scene.id[:8] for scene in scenes},
        "categories": db.categories(),
        "bounds": _bounds(db),
        "model": encoder.title if encoder else "none yet; run `geocmer embed`",
    }


def _bounds(db: Store) -> list[float] | None:
    """West, south, east, north of all tiles; east exceeds 180 where they cross the antimeridian."""
    from geocmer.schema import EXTENT

    batches = [b for b in db.snapshot().scan(EXTENT) if b.num_rows]
    if not batches:
        return None
    ends = [(min, "xmin"), (min, "ymin"), (max, "xmax"), (max, "ymax")]
    return [round(best(best(b[name].to_pylist()) for b in batches), 7) for best, name in ends]
