"""The report on a store: where its tiles lie, what they show, how they look to the model, and what it finds in them."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import GeocmerError, InputError
from ...evaluation.store_retrieval import category_scores, mean_score
from ...models.prompts import prompt
from ...search.results import Hit
from ...search.vector_search import nearest_tiles
from ...store.schema import EXTENT
from ...store.store import Store
from ...store.vectors import to_numpy
from ..record import data_url
from .charts import colours_of, draw_map, key, principal_plane, scatter
from .page import Page, bars, figure, image, paragraph, table

if TYPE_CHECKING:
    from ...models.text_encoder import TextEncoder

MAX_POINTS = 2000
"""Tiles in the map of vectors, drawn at random."""
MAX_BOXES = 100_000
"""Tiles on the map of places; of more, a random share is drawn, and that is said."""
SHOWN = 6
"""Pictures in a row."""
NO_CATEGORY = "no category"
_MEASURES = ("category", "tiles", "P@10", "AP", "chance")
_HOW_MEASURED = (
    "Each category is asked for by its name. P@10 is the share of its tiles among the first ten hits, AP the average"
    " precision, chance what a random order would give. Land cover errs too: the figures compare models more than they"
    " judge one."
)
QUESTIONS = ("water", "forest", "farmland", "a residential area", "an industrial area", "a road", "bare ground")
"""Asked where no land cover names categories."""


def store_report(store: Store, encoder: TextEncoder | None, title: str, notify: Callable[[str], None]) -> Page:
    """Describe a store for people.

    Args:
        store: with tiles.
        encoder: that made its vectors; None leaves out what a question needs.
        title: of the page.
        notify: gets a line for each part that has to be left out, and why.

    Raises:
        InputError: there are no tiles.
        StoreError: the store cannot be read.
    """
    tiles, scenes = store.count(), store.scenes()
    for problem in store.damaged_scenes().values():
        notify(f"the report leaves a scene out: {problem}")
    if not tiles:
        raise InputError(f"{store.path} has no tiles to report on; run `geocmer tile SCENE`")
    built = store.encoder
    made_by = f"Vectors by {built.title}." if built else "No vectors yet: `geocmer embed` makes them."
    page = Page(title, f"Tiles: {tiles:,}, scenes: {len(scenes):,}. {made_by}")
    counts = store.categories()
    named = sum(counts.values())
    colours = colours_of({**counts, **({NO_CATEGORY: tiles - named} if named < tiles else {})})
    rng = np.random.default_rng(0)
    page.add("Places", _places(store, tiles, colours, rng), key(colours))
    page.add("Scenes", _scenes(store))
    page.add("Categories", bars([*sorted(counts.items(), key=lambda one: -one[1]), *_without(tiles - named)]))
    if built is None or encoder is None:
        notify("the report leaves out what vectors tell: the tiles are not embedded")
        return page
    page.add("What looks alike", _vectors(store, encoder, colours, rng), key(colours))
    try:
        _add_quality(page, store, encoder, notify)
    except GeocmerError as error:  # vectors of another's model, say, that has no text side here
        notify(f"the report asks no questions: {error}")
    return page


def _add_quality(page: Page, store: Store, encoder: TextEncoder, notify: Callable[[str], None]) -> None:
    """Add what is found by words: measured and judged by land cover where there is one, for looking where not."""
    try:
        scores = category_scores(store.snapshot(), encoder.encode_texts, encoder.fingerprint)
    except InputError as error:
        notify(f"the report has no figures of quality: {error}")
        page.add("Answers", *(_answers(store, encoder, text, None) for text in QUESTIONS))
        return
    rows = [
        (one.category, one.tiles, one.precision, one.average_precision, one.chance)
        for one in (*scores, mean_score(scores))
    ]
    page.add("Quality, by the land cover under the tiles", paragraph(_HOW_MEASURED), table(_MEASURES, rows))
    page.add(
        "Answers, right and wrong",
        paragraph(
            "The best tiles for each category, framed green where the land cover agrees and red where it does not."
        ),
        *(_answers(store, encoder, prompt(one.category), one.category) for one in scores),
    )


def _without(count: int) -> list[tuple[str, int]]:
    return [(NO_CATEGORY, count)] if count else []


def _places(store: Store, tiles: int, colours: dict[str, str], rng: np.random.Generator) -> str:
    """Draw the extents of tiles; of very many a random share."""
    share = min(MAX_BOXES / tiles, 1.0)
    boxes, names = [np.empty((0, 4))], []
    for batch in store.snapshot().scan([*EXTENT, "category"]):
        chosen = np.flatnonzero(rng.random(batch.num_rows) < share)
        ends = [batch[name].to_numpy(zero_copy_only=False)[chosen] for name in EXTENT]
        boxes.append(np.column_stack(ends))
        names += batch["category"].take(pa.array(chosen)).to_pylist()
    drawn = draw_map(np.concatenate(boxes), [colours[name or NO_CATEGORY] for name in names])
    about = f"{len(names):,} tiles" if share == 1 else f"{len(names):,} of {tiles:,} tiles, chosen at random"
    return figure(image(drawn, "png", f"map of {about}"), f"{about}, coloured by category.")


def _scenes(store: Store) -> str:
    rows = []
    for scene in store.scenes():
        report = scene.report
        dropped = "; ".join(f"{count:,} {why}" for why, count in report.dropped.items())
        taken = f"{scene.datetime:%Y-%m-%d}" if scene.datetime else "undated"
        size = f"{scene.width} x {scene.height}"
        name = Path(scene.uri).name
        made = f"{report.made:,} of {scene.grid.size} pixels"
        rows.append((name, size, scene.gsd, taken, made, dropped or "none", f"{report.covered:.1%}"))
    header = ("scene", "pixels", "GSD, m", "taken", "tiles made", "windows dropped, and why", "valid area covered")
    return table(header, rows)


def _vectors(store: Store, encoder: TextEncoder, colours: dict[str, str], rng: np.random.Generator) -> str:
    """Draw a sample of the vectors on their two principal components."""
    snapshot = store.snapshot()
    column = snapshot.require_encoder(encoder.fingerprint).column
    kept: list[NDArray[np.float32]] = []
    names: list[str] = []
    share = min(2 * MAX_POINTS / max(store.count(), 1), 1.0)
    for batch in snapshot.scan(["category", column]):
        vectors, usable = to_numpy(batch[column])
        chosen = np.flatnonzero(usable & (rng.random(batch.num_rows) < share))
        kept.append(vectors[chosen].astype(np.float32))
        names += [name or NO_CATEGORY for name in batch["category"].take(pa.array(chosen)).to_pylist()]
    vectors = np.concatenate(kept)
    some = np.sort(rng.permutation(len(vectors))[:MAX_POINTS])
    if len(some) < 2:
        return paragraph("There are too few vectors to draw.")
    plane, variance = principal_plane(vectors[some])
    chosen_names = [names[n] for n in some]
    caption = (
        f"{len(some):,} tiles by the two principal components of their vectors, which hold {variance:.0%} of the"
        " variance: what lies close together looks alike to the model."
    )
    return figure(scatter(plane, [colours[name] for name in chosen_names], chosen_names), caption)


def _answers(store: Store, encoder: TextEncoder, text: str, category: str | None) -> str:
    """Show the best tiles for a question; with a category, which of them have it."""
    vector = encoder.encode_texts([text])[0]
    hits = nearest_tiles(store, vector, k=SHOWN, keep="best", fingerprint=encoder.fingerprint).hits
    right = sum(hit.category == category for hit in hits)
    note = f", {right} of {len(hits)} right" if category else ""
    return f'<h3>{html.escape(text + note)}</h3><div class="row">{"".join(_cell(hit, category) for hit in hits)}</div>'


def _cell(hit: Hit, category: str | None) -> str:
    kind = "" if category is None else "right" if hit.category == category else "wrong"
    source = data_url(hit.thumbnail)
    image = f'<img src="{html.escape(source)}" alt="">' if source else ""
    score = "" if hit.score is None else f" {hit.score:.3f}"
    return f'<div class="{kind}">{image}{hit.rank}{score}<br>{html.escape(hit.category or NO_CATEGORY)}</div>'
