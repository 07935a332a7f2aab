"""What axe-core finds: nothing serious, light and dark, in every part of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from served import Visit

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: pip install -e .[dev]")


def faults(page: Any, only: str = "") -> dict[str, list[str]]:
    """Rules that the page breaks, with the elements; `only` one rule is tried where it is named."""
    found = axe.Axe().run(page, options={"runOnly": [only]} if only else None).response["violations"]
    return {one["id"]: [node["html"][:120] for node in one["nodes"]] for one in found if one["impact"] != "minor"}


@pytest.mark.parametrize(("scheme", "only"), [("light", ""), ("dark", "color-contrast")])
def test_axe_finds_nothing(visit: Callable[..., Visit], scheme: str, only: str) -> None:
    """In the dark nothing but the colours is another."""
    page = visit("/?q=lake+near+forest&k=50", color_scheme=scheme).page
    assert faults(page, only) == {}
    page.locator("#grid .card").first.click()
    page.click("#filters-toggle")
    page.click("#command-toggle")
    page.get_by_role("button", name="Layers").click()
    assert faults(page, only) == {}
    page.click("#save")
    assert faults(page, only) == {}


def test_axe_finds_nothing_at_the_start(visit: Callable[..., Visit]) -> None:
    assert faults(visit("/").page) == {}
