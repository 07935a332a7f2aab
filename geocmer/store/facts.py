"""What a store holds, in a few numbers and names."""

from __future__ import annotations

from typing import Any

from .reader import Reader
from .schema import EXTENT


def describe(store: Reader) -> dict[str, Any]:
    """Collect counts, scenes, categories, bounds, the model, and the versions that can be read, newest first.

    A scene that was divided into tiles of several sizes has an entry for each: the beginning of its id, the side of a
    tile in pixels and in metres, and how many tiles there are.
    """
    encoder = store.encoder
    scenes: dict[str, list[dict[str, Any]]] = {}
    for scene in store.scenes():
        grid = scene.grid
        side = grid.size * (scene.gsd if grid.gsd is None else grid.gsd)
        entry = {"id": scene.id[:8], "size": grid.size, "side_m": round(side, 1), "tiles": scene.report.made}
        scenes.setdefault(scene.uri, []).append(entry)
    return {
        "store": str(store.path),
        "tiles": store.count(),
        "scenes": scenes,
        "damaged_scenes": {store.snapshot().uris.get(name, name): name[:8] for name in store.damaged_scenes()},
        "categories": store.categories(),
        "bounds": bounds(store),
        "model": encoder.title if encoder else "none yet; run `geocmer embed`",
        "versions": [
            {"version": version.number, "time": f"{version.time:%Y-%m-%dT%H:%M:%SZ}", "tiles": version.rows}
            for version in reversed(store.versions())
        ],
    }


def bounds(store: Reader) -> list[float] | None:
    """Return west, south, east, north of all tiles; east exceeds 180 where they cross the antimeridian."""
    batches = [batch for batch in store.snapshot().scan(EXTENT) if batch.num_rows]
    if not batches:
        return None
    ends = [(min, "xmin"), (min, "ymin"), (max, "xmax"), (max, "ymax")]
    return [round(best(best(batch[name].to_pylist()) for batch in batches), 7) for best, name in ends]
