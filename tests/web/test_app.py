"""The app in a browser: ask, filter, look, refine, save. It says what the library says, and asks nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
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
    page = visit("/?k=50&q=" + quote(EVIL))
    assert page.page.locator("#grid .card").count() > 0
    page.page.goto(page.page.url.split("?")[0] + "?q=dense+houses")
    page.page.wait_for_selector("html[data-ready]")
    cards: Any = page.page.locator("#grid .card")
    assert any(EVIL in text for text in cards.all_inner_texts())
    cards.filter(has_text="pwned").first.click()
    assert EVIL in page.page.locator("#detail h2").inner_text()
    page.page.click("#filters-toggle")
    assert EVIL in page.page.locator("#filter-category").inner_text()
    assert page.page.evaluate("window.pwned") is None


def test_filters_are_those_of_the_library(visit: Visits, served: Served) -> None:
    page = visit("/?q=lake")
    store = geocmer.open(served.store)
    page.page.click("#filters-toggle")
    page.page.select_option("#filter-category", "lake")
    page.settle()
    assert page.ids() == [hit.id for hit in store.search("lake", k=100, category="lake")]
    page.page.fill("#filter-since", "2010-01-01")
    page.page.press("#filter-since", "Tab")
    page.settle()
    assert page.ids() == [hit.id for hit in store.search("lake", k=100, category="lake", since="2010-01-01")]
    page.page.get_by_text("Clear filters").click()
    page.page.get_by_text("Add a class").click()
    page.page.get_by_label("Class", exact=True).select_option("water")
    page.page.get_by_label("Percent").fill("25")
    page.page.get_by_label("Percent").press("Tab")
    page.settle()
    assert page.ids() == [hit.id for hit in store.search("lake", k=100, where="water >= 0.25")]
    assert page.page.locator("#filter-count").inner_text() == "1"
    page.page.get_by_label("Remove the condition on water").click()
    page.settle()
    plain = store.search("lake", k=100)
    assert page.ids() == [hit.id for hit in plain]
    page.page.get_by_label("Least score").fill("0.1")
    page.page.get_by_label("Least score").press("Tab")
    page.settle()
    assert page.ids() == [hit.id for hit in plain if hit.score is not None and hit.score >= 0.1]


def test_the_probability_is_shown_and_chosen_by(visit: Visits, served: Served) -> None:
    page = visit("/?q=lake&k=50")
    plain = geocmer.open(served.store).search("lake", k=50).hits
    p = [hit.probability or 0 for hit in plain]
    said = "<1 %" if p[0] < 0.01 else ">99 %" if p[0] > 0.99 else f"{p[0] * 100:.0f} %"
    assert said in page.page.locator("#grid .card").first.inner_text()
    slider = page.page.get_by_label("Least probability", exact=True)
    slider.fill(f"{p[len(p) // 2]:.3f}")
    page.settle()
    kept = [hit.id for hit, one in zip(plain, p, strict=True) if one >= float(f"{p[len(p) // 2]:.3f}")]
    assert 0 < len(kept) < len(plain)
    assert page.ids() == kept
    page.page.get_by_label("Least probability", exact=True).fill("1")
    page.settle()
    page.page.get_by_label("Least probability", exact=True).fill("0")
    page.settle()
    assert page.ids() == [hit.id for hit in plain], "one comes back from an answer without hits"


def test_what_cannot_be_asked_is_said_in_a_line(visit: Visits) -> None:
    page = visit("/?q=lake&where=nothing_like_it+>+0.5")
    assert "nothing_like_it" in page.page.locator("#status.failed").inner_text()
    page.complaints[:] = [line for line in page.complaints if "400" not in line]  # the browser notes a refused request
    page.page.click("#filters-toggle")
    page.page.get_by_text("Clear filters").click()
    page.settle()
    assert page.page.locator("#grid .card").count() > 0


@pytest.mark.parametrize("shape", ["Box", "Polygon"])
def test_what_is_drawn_on_the_map_is_the_area(visit: Visits, served: Served, shape: str) -> None:
    page = visit("/?q=lake&keep=all")
    page.page.get_by_role("button", name=shape, exact=True).click()
    frame = page.page.locator("#map").bounding_box()
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    corners = [(x - 90, y - 90), (x + 60, y - 90), (x + 60, y + 80), (x - 90, y + 80)]
    if shape == "Box":
        page.page.mouse.move(*corners[0])
        page.page.mouse.down()
        page.page.mouse.move(x, y)
        page.page.mouse.move(*corners[2])
        page.page.mouse.up()
    else:
        for corner in corners[:3]:
            page.page.mouse.click(*corner)
        page.page.keyboard.press("Enter")
    page.settle()
    area = page.page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
    conditions = {"bbox": area["bbox"]} if shape == "Box" else {"region": area["region"]}
    store = geocmer.open(served.store)
    expected = [hit.id for hit in store.search("lake", k=100, keep="all", **conditions)]
    assert 0 < len(expected) < len(store)
    assert page.ids() == expected
    assert "hit=" not in page.page.url, "the click that ends a drawing chooses no hit"


def test_the_grid_and_the_map_are_linked(visit: Visits) -> None:
    page = visit("/?q=lake&k=50")
    outlines = page.page.locator(".leaflet-over-pane path, .leaflet-over-pane canvas")
    page.page.locator("#grid .card").nth(1).hover()
    assert outlines.count() > 0
    # And back: the pointer over the first hit's place on the map marks its card.
    place = page.page.evaluate(
        """async () => {
          const { answer } = await import('/static/js/answer.js'), { map } = await import('/static/js/map.js');
          const [lon, lat] = answer.hits[0].centre, { x, y } = map.latLngToContainerPoint([lat, lon]);
          const frame = map.getContainer().getBoundingClientRect();
          return [frame.left + x, frame.top + y];
        }"""
    )
    page.page.mouse.move(place[0] - 3, place[1])
    page.page.mouse.move(*place)
    page.page.wait_for_selector("#grid .card.hover")
    page.page.mouse.click(*place)
    page.page.wait_for_selector("#detail:not([hidden])")
    assert page.page.locator("#grid .card[aria-current]").count() == 1


def test_a_tile_shows_its_picture_classes_heat_map_and_other_dates(visit: Visits, served: Served) -> None:
    page = visit("/?q=lake&keep=all&since=2010-01-01")
    page.page.locator("#grid .card").first.click()
    detail = page.page.locator("#detail")
    assert detail.locator(".tile img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    hit = geocmer.open(served.store).search("lake", keep="all", since="2010-01-01", k=1)[0]
    for name, share in hit.fractions.items():
        if share >= 0.005:
            assert f"{name}\n{share:.0%}".replace("%", " %") in detail.locator(".bars").inner_text()
    detail.get_by_text("Where in the tile").click()
    overlay = detail.get_by_alt_text("Heat map: where in the tile the question is answered")
    overlay.wait_for()
    assert overlay.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    dates = detail.locator(".strip li")
    dates.first.wait_for()
    assert [text.split("\n")[0] for text in dates.all_inner_texts()] == ["2001-06-01", "2021-06-01"]
    detail.get_by_role("button", name="Compare").click()
    page.page.wait_for_selector("#swipe:not([hidden])")
    page.page.wait_for_load_state("networkidle")
    assert page.page.locator("#swipe .date").all_inner_texts() == ["2001-06-01", "2021-06-01"]
    slider = page.page.get_by_label("Where the two dates meet")
    before = page.page.locator("#swipe .edge").bounding_box()["x"]
    slider.focus()
    slider.press("ArrowLeft")
    assert page.page.locator("#swipe .edge").bounding_box()["x"] < before
    assert "swipe=" in page.page.url
    page.page.get_by_text("End comparing").click()
    assert not page.page.locator("#swipe").is_visible()


def test_more_and_less_refine_the_question_and_are_kept(visit: Visits, served: Served) -> None:
    page = visit("/?q=lake")
    store = geocmer.open(served.store)
    first = page.ids()
    page.page.locator("#grid .card").nth(2).click()
    page.page.get_by_text("More like this").click()
    page.settle()
    assert page.ids() == [hit.id for hit in store.search("lake", more=[first[2]], k=100)]
    page.page.get_by_text("Less like this").click()
    page.settle()
    less = store.search("lake", less=[first[2]], k=100)
    assert page.ids() == [hit.id for hit in less], "a tile is one or the other"
    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    assert page.ids() == [hit.id for hit in less]
    page.page.get_by_label("Remove: less like").click()
    page.settle()
    assert page.ids() == first
    page.page.get_by_text("Only like this").click()
    page.settle()
    assert page.ids() == [hit.id for hit in store.search(like=[first[2]], k=100)]


def test_a_relation_shows_both_tiles_and_the_line_between(visit: Visits, served: Served) -> None:
    page = visit("/?q=lake+near+forest&k=50")
    hit = geocmer.open(served.store).search("lake near forest", k=50)[0]
    card = page.page.locator("#grid .card").first
    addresses = card.locator("img").evaluate_all("images => images.map((image) => image.getAttribute('src'))")
    assert addresses == [f"/api/tiles/{one}/thumbnail" for one in (hit.id, hit.partners[0].id)]
    assert "from a hit to its partner" in page.page.locator("#legend").inner_text()
    card.click()
    detail = page.page.locator("#detail")
    assert detail.locator(".pair img").count() == 2
    assert f"partner, score {hit.partners[0].score:.3f}" in detail.inner_text()


def test_words_that_are_read_as_a_relation_are_taken_as_one_description(visit: Visits, served: Served) -> None:
    page = visit("/?q=lake+near+forest&k=50")
    assert "--" not in page.page.locator("#notes").inner_text(), "the page speaks of buttons, not of options"
    page.page.get_by_role("button", name="take it as one description").click()
    page.settle()
    plain = geocmer.open(served.store).search("lake near forest", k=50, literal=True)
    assert page.ids() == [hit.id for hit in plain]
