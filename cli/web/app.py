"""The app: the rooms put together, the front end beside them, errors as one line that the page shows."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from geocmer._files import bundled_file
from geocmer.errors import GeocmerError

from . import answers_api, downloads_api, images_api, store_api
from .security import Guard
from .workspace import Workspace

STATIC = Path(str(files(__package__).joinpath("static")))
SHARED_FILES = ("leaflet.js", "leaflet.css", "land.json")
"""Of the map page that exports write: the map library, and the coasts."""


class Revalidated(StaticFiles):
    """Static files that a browser asks about each time: after an upgrade no page runs scripts of the old version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Answer with the file, or with word that it is unchanged."""
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def make_app(workspace: Workspace, token: str | None = None, cookie: str = "geocmer") -> Starlette:
    """Make the app.

    Args:
        workspace: what is asked.
        token: that every request has to bring; None where only this machine can ask.
        cookie: name of the cookie that holds it.
    """

    def index(_: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    def shared(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in SHARED_FILES:
            return Response(status_code=404)
        return FileResponse(str(bundled_file("map", name)), headers={"cache-control": "no-cache"})

    def failed(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    return Starlette(
        routes=[
            Route("/", index),
            *store_api.routes(workspace),
            *answers_api.routes(workspace),
            *images_api.routes(workspace),
            *downloads_api.routes(workspace),
            Route("/map/{name}", shared),
            Mount("/static", Revalidated(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, token=token, cookie=cookie), Middleware(GZipMiddleware, minimum_size=2000)],
        exception_handlers={GeocmerError: failed},
    )
