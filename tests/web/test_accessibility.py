"""What axe-core finds: nothing serious, light and dark, in every part of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from served import Visit

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: pip install -e .[dev]")


def faults(page: Any) -> dict[str, list[str]]:
    """Rules that the page breaks, with the elements."""
    found = axe.Axe().run(page).response["violations"]
    return {one["id"]: [node["html"][:120] for node in one["nodes"]] for one in found if one["impact"] != "minor"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Callable[..., Visit], scheme: str) -> None:
    page = visit("/?q=lake+near+forest&k=50", color_scheme=scheme).page
    assert faults(page) == {}
    page.locator("#grid .card").first.click()
    page.click("#filters-toggle")
    page.click("#command-toggle")
    page.get_by_role("button", name="Layers").click()
    assert faults(page) == {}
    page.click("#save")
    assert faults(page) == {}


def test_axe_finds_nothing_at_the_start(visit: Callable[..., Visit]) -> None:
    assert faults(visit("/").page) == {}
