"""What the store holds, as the page shows it before anything is asked: scenes, categories, classes, dates, formats."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from geocmer import __version__

from .forms import MAX_K
from .workspace import Workspace


def describe(workspace: Workspace) -> dict[str, Any]:
    """Collect what the page shows of the store."""
    from geocmer.export import known_formats
    from geocmer.relations.kinds import KINDS

    from .hit_json import scene_json

    store = workspace.collection.store
    snapshot = store.snapshot()
    encoder = store.encoder
    return {
        "version": __version__,
        "store": str(store.path),
        "as_of": str(store.as_of) if store.as_of else None,
        "tiles": store.count(),
        "model": encoder.title if encoder else None,
        "scenes": [scene_json(scene) for scene in store.scenes()],
        "categories": store.categories(),
        "labels": sorted(snapshot.labels),
        "formats": [
            {"suffix": one.suffix, "name": one.name, "for": one.good_for, "styled": one.styled}
            for one in known_formats().values()
        ],
        "relations": ["within 2 km of" if kind.half_metres is None else kind.name for kind in KINDS],
        "most": MAX_K,
    }


def routes(workspace: Workspace) -> list[Route]:
    """Make the routes."""

    def store(_: Request) -> Response:
        return JSONResponse(describe(workspace))

    return [Route("/api/store", store)]
