"""The app in a browser: ask, look, refine, and that it asks nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from served import EVIL, Served, Visit

import geocmer

Visits = Callable[..., Visit]


def test_words_find_what_the_library_finds(visit: Visits, served: Served) -> None:
    page = visit()
    page.ask("a lake beside a forest")
    hits = geocmer.open(served.store).search("a lake beside a forest", k=100)
    assert page.ids() == [hit.id for hit in hits]
    assert page.page.locator("#status").inner_text().startswith(f"{len(hits)} hits")
    first = page.page.locator("#grid .card").first
    assert first.get_attribute("aria-label").startswith("1. ")
    assert first.locator("img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert "q=a+lake" in page.page.url


def test_an_address_says_all_and_back_goes_back(visit: Visits) -> None:
    page = visit("/?q=lake&category=lake&k=50")
    found = page.ids()
    assert found
    assert page.page.input_value("#q") == "lake"
    page.ask("forest")
    assert page.ids() != found
    page.page.go_back()
    page.settle()
    assert page.ids() == found
    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    assert page.ids() == found


def test_hostile_names_are_text(visit: Visits) -> None:
    page = visit("/?q=" + EVIL.replace("#", "") + "&k=50")
    cards: Any = page.page.locator("#grid .card")
    assert cards.count() > 0
    page.page.goto(page.page.url.split("?")[0] + "?q=dense+houses")
    page.page.wait_for_selector("html[data-ready]")
    assert any(EVIL in text for text in cards.all_inner_texts())
    cards.filter(has_text="pwned").first.click()
    assert EVIL in page.page.locator("#detail h2").inner_text()
    assert page.page.evaluate("window.pwned") is None
