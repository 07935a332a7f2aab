"""A map page; what is on it is made in `html_map`."""

from __future__ import annotations

from ..format import Format
from ..html_map import MAX_PAGE_HITS, write_page

FORMATS = (
    Format(
        ".html",
        f"a map page in one file, {MAX_PAGE_HITS:,} hits at most",
        "looking, sending to someone",
        write_page,
        styled=False,
    ),
)
