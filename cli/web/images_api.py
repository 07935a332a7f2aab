"""Pictures: thumbnails, whole tiles, where in them a question is answered, and scenes as tiles of the map."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from geocmer.errors import InputError

from .given_images import MAX_BYTES
from .workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

LASTING = {"cache-control": "private, max-age=604800, immutable"}
"""The id of a tile or scene stands for its content: what was read once is read for good."""


def png(pixels: NDArray[Any]) -> Response:
    """Send pixels (height, width, 3 or 4), uint8."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)  # to this machine: time counts, not bytes
    return Response(buffer.getvalue(), media_type="image/png", headers=LASTING)


def routes(workspace: Workspace) -> list[Route]:
    """Make the routes."""
    from .scene_tiles import SceneTiles

    scenes = SceneTiles(workspace)

    def thumbnail(request: Request) -> Response:
        from geocmer.export.record import media_type

        image = workspace.tile(request.path_params["tile"]).thumbnail
        if image is None:
            raise InputError("this tile has no thumbnail")
        return Response(image, media_type=media_type(image), headers=LASTING)

    def image(request: Request) -> Response:
        import numpy as np

        pixels, valid = workspace.pixels(workspace.tile(request.path_params["tile"]))
        return png(np.dstack([pixels, np.where(valid, np.uint8(255), np.uint8(0))]))

    def spot(request: Request) -> Response:
        from geocmer.search.heatmap import heatmap_overlay

        tile = workspace.tile(request.path_params["tile"])
        found = workspace.spot(workspace.answer(request.path_params["answer"]), tile)
        return png(heatmap_overlay(found, tile.size))

    async def give(request: Request) -> Response:
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > MAX_BYTES:
                raise InputError(f"the picture has more than {MAX_BYTES // 1_000_000} MB; give a smaller one")
        name = request.query_params.get("name", "image")
        return JSONResponse({"key": await run_in_threadpool(workspace.images.keep, bytes(content), name)})

    def given(request: Request) -> Response:
        shown = workspace.images.shown(request.path_params["key"])
        return Response(shown, media_type="image/jpeg", headers=LASTING)

    def dates(request: Request) -> Response:
        from .hit_json import hits_json

        return JSONResponse({"tiles": hits_json(workspace.same_place(request.path_params["tile"]))})

    def scene(request: Request) -> Response:
        at = request.path_params
        pixels = scenes.read(at["scene"], at["grid"], at["z"], at["x"], at["y"])
        return png(pixels)

    return [
        Route("/api/images", give, methods=["POST"]),
        Route("/api/images/{key}", given),
        Route("/api/tiles/{tile}/thumbnail", thumbnail),
        Route("/api/tiles/{tile}/image", image),
        Route("/api/tiles/{tile}/spot/{answer}", spot),
        Route("/api/tiles/{tile}/dates", dates),
        Route("/api/scenes/{scene}/{grid}/{z:int}/{x:int}/{y:int}", scene),
    ]
