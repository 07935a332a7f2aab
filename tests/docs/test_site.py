"""The built documentation, page by page in a browser: it asks no other host for anything, and no picture is missing.

A part of `make check`, which builds the site for it; `make test` leaves it out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that it is called by
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The site as `mkdocs build --strict` makes it, which fails at a link that leads nowhere; and its address."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    settings = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, env=settings)
    assert done.returncode == 0, done.stderr
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_every_link_leads_somewhere(site: tuple[Path, str]) -> None:
    """Or the site would not have been made; here also without a browser."""
    folder, _ = site
    assert len(list(folder.rglob("index.html"))) > 40


def test_a_page_loads_nothing_from_elsewhere(site: tuple[Path, str], chromium: Any) -> None:
    folder, address = site
    pages = sorted(folder.rglob("index.html"))
    page = chromium.new_page(viewport={"width": 1280, "height": 4000})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in pages:
        page.goto(f"{address}/{path.parent.relative_to(folder)}/", wait_until="load")
        page.evaluate("for (const image of document.images) image.loading = 'eager'")
        page.wait_for_load_state("networkidle")
        foreign = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
        assert foreign == [], path
        broken = "[...document.images].filter(image => !image.naturalWidth).map(image => image.src)"
        assert page.evaluate(broken) == [], path
    page.close()
