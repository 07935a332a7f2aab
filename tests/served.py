"""The web app over a small store, in a thread, and a browser that asks nobody else: for the tests in `web`."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from affine import Affine
from synthetic import raster

import geocmer

EVIL = '"><img src=x onerror="window.pwned=1"><script>window.pwned=2</script>'
UTM = Affine(10, 0, 600_000, 0, -10, 5_000_000)
SIDE = 256


def painted(seed: int, lake: slice) -> np.ndarray:
    """Green ground with a blue lake and a grey town on it, (3, SIDE, SIDE)."""
    random = np.random.default_rng(seed)
    picture = np.array([60, 110, 50])[:, None, None] + random.integers(-25, 25, (3, SIDE, SIDE))
    picture[:, lake, 40:150] = (
        np.array([20, 50, 120])[:, None, None] + random.integers(-6, 6, (3, SIDE, SIDE))[:, lake, 40:150]
    )
    town = random.integers(120, 250, (1, 80, 90)) * np.ones((3, 1, 1))
    picture[:, 160:240, 150:240] = np.kron(town[:, ::8, ::8], np.ones((1, 8, 8)))[:, :80, :90]
    return np.clip(picture, 1, 255).astype(np.uint8)


def make_store(folder: Path) -> Path:
    """Tiles of one place in 2001 and in 2021, with land cover; a file and a category have hostile names."""
    cover = np.full((1, SIDE, SIDE), 1, np.uint8)
    cover[0, 40:110, 40:150], cover[0, 160:240, 150:240] = 2, 3
    (folder / "legend.csv").write_text(
        f'code,label,category\n1,forest,forest\n2,water,lake\n3,town,"{EVIL.replace(chr(34), chr(34) * 2)}"\n'
    )
    raster(folder / "cover.tif", cover, UTM)
    store = geocmer.open(folder / "store")
    for name, year, lake in (("old <b onclick=1>.tif", 2001, slice(40, 110)), ("new.tif", 2021, slice(20, 130))):
        pixels = painted(year, lake)
        if year == 2021:
            pixels[:, :40, 220:] = 0  # no data
        path = raster(folder / name, pixels, UTM, tags={"TIFFTAG_DATETIME": f"{year}:06:01 10:00:00"}, nodata=0)
        store.add(path, landcover=folder / "cover.tif", legend=folder / "legend.csv", size=64, stride=32)
    return folder / "store"


class Served:
    """The app in a thread."""

    def __init__(self, store: Path, token: str | None = None) -> None:
        import uvicorn
        from geocmer_cli.serve import listen
        from geocmer_cli.web.app import make_app
        from geocmer_cli.web.workspace import Workspace

        self.store = store
        self.workspace = Workspace(lambda notify: geocmer.Collection(store, notify=notify))
        listener = listen("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(make_app(self.workspace, token), log_level="warning"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join()


class Visit:
    """A page that is open; anything on its console, any failed request and any other host asked is a complaint."""

    def __init__(self, chromium: Any, served: Served, path: str = "/", **options: Any) -> None:
        self.complaints: list[str] = []
        values = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", "accept_downloads": True}
        self.context = chromium.new_context(**{**values, **options})
        self.context.set_default_timeout(30_000)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._check(request.url, served.address))
        self.page.goto(served.address + path)
        self.page.wait_for_selector("html[data-ready]", timeout=60_000)

    def _check(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.complaints.append(f"asked {url}")

    def ask(self, words: str) -> None:
        self.page.fill("#q", words)
        self.page.press("#q", "Enter")
        self.settle()

    def settle(self) -> None:
        """Wait for the answer to what was asked last."""
        self.page.wait_for_timeout(50)
        self.page.wait_for_selector("#side:not([aria-busy])")

    def ids(self) -> list[str]:
        """The hits, as the page holds them."""
        found: list[str] = self.page.evaluate("import('/static/js/answer.js').then(m => m.answer.hits.map(h => h.id))")
        return found

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []
