"""Heat maps of hits, as `geocmer search` draws them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .console import say

if TYPE_CHECKING:
    from geocmer.collection import Collection
    from geocmer.export.hits import Hits

MAX_EXPLAINED_HITS = 10
"""Hits that --explain draws; --heatmaps draws them all."""


def draw_heatmaps(collection: Collection, hits: Hits, folder: Path | None, output: Path | None) -> None:
    """Draw heat maps of all hits into a folder that was named, else of the first ones, as far as possible."""
    from geocmer.errors import GeocmerError
    from geocmer.export.writer import STDOUT

    beside = None if output is None or str(output) == STDOUT else output.with_name(f"{output.stem}-explain")
    into = folder or beside or Path("geocmer-explain")
    try:
        located = hits if hits.find_spot else collection.locate(hits)
        count = len(collection.explain(islice(located, None if folder else MAX_EXPLAINED_HITS), into))
    except GeocmerError as error:
        if folder:
            raise
        say(f"no heat maps: {error}")
    else:
        say(f"{count} heat maps written to {into}")
