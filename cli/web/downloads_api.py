"""Saving an answer: a file in any format of `geocmer.export`, or a ZIP file where a format lays files beside it."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from geocmer.errors import InputError

from .workspace import Workspace


def routes(workspace: Workspace) -> list[Route]:
    """Make the routes."""

    def save(request: Request) -> Response:
        from geocmer.export import known_formats

        asked = workspace.answer(request.path_params["key"])
        suffix = request.path_params["suffix"]
        if suffix not in known_formats():
            raise InputError(f"there is no format {suffix}; choose one of {', '.join(known_formats())}")
        given = request.query_params
        name = file_name(asked.form.title)
        with tempfile.TemporaryDirectory(prefix="geocmer-") as folder:
            path = Path(folder) / f"{name}{suffix}"
            asked.hits.save(path, thumbnails=given.get("thumbnails") == "1", style=given.get("style") == "1")
            written = sorted(Path(folder).iterdir())
            content = path.read_bytes() if written == [path] else _zipped(written)
        sent = path.name if written == [path] else f"{name}.zip"
        headers = {"content-disposition": f'attachment; filename="{sent}"'}
        return Response(content, media_type="application/octet-stream", headers=headers)

    return [Route("/api/answers/{key}/file/{suffix}", save)]


def file_name(title: str) -> str:
    """Make a file's name, without its suffix, of what was searched for: letters and digits of ASCII, and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "hits"


def _zipped(paths: list[Path]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
    return buffer.getvalue()
