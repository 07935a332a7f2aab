"""Marking hits in a notebook: the widget in Python, and its page in Chromium with a model as a notebook gives it."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from PIL import Image
from synthetic import DIM, ENCODER, filled, tile, unit

import geocmer
from geocmer._files import bundled_file
from geocmer.errors import InputError

pytest.importorskip("anywidget", reason="the widget is not installed: pip install -e .[notebook]")
EVIL = '<img src=x onerror="window.pwned=1">'


class Encoder:
    """Gives every text a vector of its own."""

    fingerprint, dim, scale = ENCODER.fingerprint, DIM, 100.0

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.concatenate([unit(1, seed=zlib.crc32(text.encode())) for text in texts])


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> geocmer.Collection:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(buffer, "JPEG")
    rows = [tile(n, west=n / 10, category=EVIL, thumbnail=buffer.getvalue()) for n in range(20)]
    store = filled(tmp_path_factory.mktemp("label") / "store", rows, unit(20))
    encoder: Any = Encoder()
    return geocmer.open(store.path, encoder=encoder)


def test_marks_lead_to_the_answer_that_more_and_less_give(tiles: geocmer.Collection, tmp_path: Path) -> None:
    widget = tiles.label("lake", k=6)
    first = [hit.id for hit in tiles.search("lake", k=6)]
    assert [one["id"] for one in widget.tiles] == first
    assert all(one["picture"].startswith("data:image/jpeg") for one in widget.tiles)
    widget.labels = {first[4]: True, first[0]: False, first[2]: True}
    assert (widget.yes, widget.no) == ([first[4], first[2]], [first[0]])
    again = [hit.id for hit in widget.search_again()]
    assert again == [hit.id for hit in tiles.search("lake", more=[first[4], first[2]], less=first[0], k=6)]
    assert again != first
    assert [one["id"] for one in widget.tiles] == again
    assert widget.save(tmp_path / "labels.geojson") == 3  # tiles of an earlier answer too
    written = geopandas.read_file(tmp_path / "labels.geojson").set_index("id")
    assert written["label"].to_dict() == {first[4]: "yes", first[0]: "no", first[2]: "yes"}
    places = {hit.id: hit.geometry for hit in tiles.search("lake", k=None)}
    assert all(row.geometry.equals(places[key]) for key, row in written.iterrows())


def test_the_button_searches_and_says_what_went_wrong(tiles: geocmer.Collection, tmp_path: Path) -> None:
    widget = tiles.label("lake", k=3)
    before = widget.tiles
    widget._handle_custom_msg({"type": "search"}, [])
    assert "nothing is marked" in widget.note
    assert (widget.tiles, widget.busy) == (before, False)
    with pytest.raises(InputError, match="nothing is marked"):
        widget.save(tmp_path / "labels.geojson")
    widget.labels = {before[0]["id"]: False}
    widget._handle_custom_msg({"type": "search"}, [])
    assert widget.note == ""
    assert widget.tiles != before
    with pytest.raises(InputError, match="does not exist; make it"):
        widget.save(tmp_path / "none" / "labels.geojson")


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(offline=True)
    yield context.new_page()
    context.close()


MODEL = """
async ([source, css, state]) => {
  const model = {
    listeners: {}, saved: 0, sent: [],
    get: (name) => state[name],
    set(name, value) { state[name] = value; (this.listeners[`change:${name}`] ?? []).forEach((call) => call()); },
    save_changes() { this.saved += 1; },
    on(name, call) { (this.listeners[name] ??= []).push(call); },
    off(name, call) { this.listeners[name] = this.listeners[name].filter((one) => one !== call); },
    send(message) { this.sent.push(message); },
  };
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  window.model = model;
  window.state = state;
  window.close_widget = module.default.render({ model, el: document.body });
}
"""


def test_clicks_and_keys_mark_tiles_and_names_do_not_run(page: Any, tiles: geocmer.Collection) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    widget = tiles.label("lake", k=4)
    state = {"tiles": widget.tiles, "labels": {}, "title": EVIL, "note": "", "busy": False}
    source, css = (bundled_file("notebook", f"label.{kind}").read_text() for kind in ("js", "css"))
    page.set_content("<!doctype html><title>x</title>")
    page.evaluate(MODEL, [source, css, json.loads(json.dumps(state))])
    shown = page.locator(".tile")
    assert shown.count() == 4
    again = page.get_by_role("button", name="Search again")
    assert again.is_disabled()
    ids = [one["id"] for one in widget.tiles]
    shown.nth(1).click()
    assert page.evaluate("state.labels") == {ids[1]: True}
    assert page.get_by_role("status").first.text_content() == "1 yes, 0 no"
    shown.nth(1).click()
    assert page.evaluate("state.labels") == {ids[1]: False}
    page.keyboard.press("Backspace")  # the tile keeps the focus
    assert page.evaluate("state.labels") == {}
    shown.nth(3).focus()
    page.keyboard.press("n")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("y")
    assert page.evaluate("state.labels") == {ids[3]: False, ids[2]: True}
    assert "does not" in shown.nth(3).get_attribute("aria-label")
    again.click()
    assert page.evaluate("model.sent") == [{"type": "search"}]
    page.evaluate("model.set('note', 'nothing is marked')")
    assert page.get_by_text("nothing is marked").is_visible()
    page.evaluate("model.set('busy', true)")
    assert again.is_disabled()
    page.evaluate("close_widget()")
    assert page.evaluate("Object.values(model.listeners).flat().length") == 0
    assert page.evaluate("window.pwned") is None
    assert errors == []
