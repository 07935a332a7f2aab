"""Take the pictures of web app and map page that the docs show: `python docs/take_pictures.py FOLDER [NAME ...]`.

FOLDER holds the demo's scene and land cover (`make demo` leaves them in .demo), and for the pictures of two dates two
Landsat scenes of one place, 1985.tif and 2020.tif. The stores are made there. Needs the extra `serve`, and Chromium.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import geocmer

PICTURES = Path(__file__).parent / "pictures"
DESK = {"width": 1280, "height": 780}
PHONE = {"width": 390, "height": 844}
QUESTION = "dense residential area"
RELATION = "lake near dense residential area"
TWO_DATES = {"before": "1990", "after": "2010", "k": 50}


def make_demo(folder: Path) -> Path:
    """Tile the demo's scene as `make demo` does."""
    if not (folder / "store").exists():
        geocmer.open(folder / "store").add(
            folder / "landsat_multiband.tif",
            bands=(3, 2, 1),
            size=64,
            stride=32,
            landcover=folder / "strata.tif",
            legend="nc_landclass96",
        )
    return folder / "store"


def make_dates(folder: Path) -> Path:
    """Tile two scenes of one place, taken 35 years apart."""
    if not (folder / "dates").exists():
        for year in (1985, 2020):
            geocmer.open(folder / "dates").add(
                folder / f"{year}.tif", size=96, stride=48, datetime=datetime(year, 7, 1, tzinfo=UTC)
            )
    return folder / "dates"


@contextmanager
def served(store: Path) -> Iterator[str]:
    """Run `geocmer serve`, and give its address."""
    command = [sys.executable, "-m", "geocmer_cli.main", "serve", "--port", "0", "--store", str(store)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


def first_hit(page: Page) -> None:
    """Look at the best hit."""
    page.locator("#grid .card").first.click()
    page.mouse.move(1000, 20)


def heat(page: Page) -> None:
    """Look at the best hit, and where in it the question is answered."""
    first_hit(page)
    page.get_by_role("button", name="Where in the tile").click()
    page.wait_for_selector("#detail .under button[aria-pressed=true]:not([aria-busy])", timeout=180_000)


def nothing(_: Page) -> None:
    """Look at the page as it is."""


def filters(page: Page) -> None:
    """Open the filters."""
    page.click("#filters-toggle")


def swipe(page: Page) -> None:
    """Compare the two scenes of the best hit."""
    first_hit(page)
    page.locator("#detail .strip button").first.click()


Act = Callable[[Page], None]
WEB: dict[str, tuple[Callable[[Path], Path], dict[str, Any], dict[str, int], str, Act]] = {
    "web-map": (make_demo, {"q": QUESTION, "k": 50}, DESK, "light", heat),
    "web-relation": (make_demo, {"q": RELATION, "k": 50}, DESK, "light", first_hit),
    "web-filters": (
        make_demo,
        {"q": QUESTION, "where": "developed >= 0.3", "bbox": "-78.72,35.72,-78.6,35.81"},
        DESK,
        "light",
        filters,
    ),
    "web-dark": (make_demo, {"q": QUESTION, "k": 50}, DESK, "dark", first_hit),
    "web-phone": (make_demo, {"q": QUESTION, "k": 50}, PHONE, "light", nothing),
    "web-dates": (make_dates, {"q": "river", "k": 50}, DESK, "light", swipe),
    "web-change": (make_dates, {"q": "river", **TWO_DATES}, DESK, "light", heat),
}
"""Name -> store, address, size in pixels, theme, and what is done on the page before the picture is taken."""


def take(page: Page, name: str) -> None:
    """Take a picture of what a page shows."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(PICTURES / f"{name}.webp", quality=82, method=6)


def main(folder: Path, names: list[str]) -> None:
    """Take the pictures that are named, or all."""
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        for make in (make_demo, make_dates):
            chosen = [name for name in WEB if WEB[name][0] is make and (not names or name in names)]
            if not chosen:
                continue
            with served(make(folder)) as address:
                for name in chosen:
                    _, asked, size, theme, act = WEB[name]
                    page = browser.new_page(
                        viewport=size,
                        color_scheme=theme,
                        reduced_motion="reduce",
                        device_scale_factor=1.2 if size is PHONE else 1,
                    )
                    page.goto(f"{address}?{urlencode(asked)}")
                    page.wait_for_selector("html[data-ready]", timeout=120_000)
                    act(page)
                    take(page, name)
                    page.close()
        if not names or "map-page" in names:
            geocmer.open(make_demo(folder)).search(QUESTION, k=20).save(folder / "hits.html")
            page = browser.new_page(viewport=DESK)
            page.goto((folder / "hits.html").absolute().as_uri())
            take(page, "map-page")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
