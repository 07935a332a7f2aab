"""What a command does with the hits that it found: they go to a file, or to stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .console import say

if TYPE_CHECKING:
    from geocmer.export.hits import Hits
    from geocmer.search.results import Hit


def require_output(output: Path | None, *, style: bool = False) -> None:
    """Refuse a file that hits cannot be written to, before a model is loaded."""
    if output:
        from geocmer.export.writer import require_writable

        require_writable(output, style=style)


def write_or_print(hits: Hits, output: Path | None, *, thumbnails: bool, style: bool, as_json: bool) -> None:
    """Write the hits to a file, or print them where none is named; say first how many are hidden."""
    if hits.plan.hidden:
        one, many = "1 hit that shows the same place is", f"{hits.plan.hidden} hits that show the same places are"
        say(f"{one if hits.plan.hidden == 1 else many} hidden; see them with --all-dates")
    if output:
        count = hits.save(output, thumbnails=thumbnails, style=style)
        say(f"{count} hit{'s' * (count != 1)} written to {output}")
    else:
        print_hits(hits, as_json=as_json)


def print_hits(hits: Iterable[Hit], *, as_json: bool) -> None:
    """Print the hits as a table, or as JSON lines if that is asked for or stdout is no terminal."""
    if as_json or not sys.stdout.isatty():
        from geocmer.export import attributes

        for hit in hits:
            print(json.dumps(attributes(hit)))
    else:
        from .table import print_table

        print_table(hits)
