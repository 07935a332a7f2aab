"""Searching: an answer with its first hits, more of its hits, and what else one may know of it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from geocmer.errors import InputError

from .forms import SearchForm
from .hit_json import hits_json
from .workspace import Asked, Workspace

FIRST_HITS = 200
"""Hits that come with the answer: what a screen shows; the page asks for the others while a person looks."""
PAGE_HITS = 2000


def answer_json(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Describe an answer, with its first hits."""
    hits = asked.hits
    scores = hits.scores
    return {
        "key": asked.key,
        "title": asked.form.title,
        "count": len(hits),
        "high": round(float(scores.max()), 6) if len(scores) else None,
        "low": round(float(scores.min()), 6) if len(scores) else None,
        "plan": hits.plan.lines(),
        "hidden": hits.plan.hidden,
        "notes": list(asked.notes),
        "command": asked.form.command(str(workspace.collection.path), workspace.images),
        "hits": hits_json(workspace.read(asked, 0, FIRST_HITS)),
    }


def routes(workspace: Workspace) -> list[Route]:
    """Make the routes."""

    def search(request: Request) -> Response:
        form = SearchForm.of(request.query_params)
        return JSONResponse(answer_json(workspace, workspace.ask(form)))

    def page(request: Request) -> Response:
        asked = workspace.answer(request.path_params["key"])
        start = request.path_params["start"]
        if start > len(asked.hits):
            raise InputError(f"the answer has {len(asked.hits)} hits, none from {start} on")
        return JSONResponse({"hits": hits_json(workspace.read(asked, start, start + PAGE_HITS))})

    return [Route("/api/search", search), Route("/api/answers/{key}/hits/{start:int}", page)]
