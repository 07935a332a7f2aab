"""What the tests of the web app share: the store, the app over it, and a browser without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Served, Visit, make_store

pytest.importorskip("uvicorn", reason="the web app is not installed: pip install -e .[serve]")


@pytest.fixture(scope="session")
def web_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="session")
def served(web_store: Path) -> Iterator[Served]:
    with Served(web_store) as app:
        yield app


@pytest.fixture
def visit(chromium: Any, served: Served) -> Iterator[Callable[..., Visit]]:
    """Open pages; each must have been silent in the end."""
    visits: list[Visit] = []

    def opened(path: str = "/", **options: Any) -> Visit:
        visits.append(Visit(chromium, served, path, **options))
        return visits[-1]

    yield opened
    for one in visits:
        one.close()
