"""Write the pages of the docs that are made from the code, whole or in part. Run: python docs/generate.py."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import api
import architecture
import charts
import places
import settings
import tables

import cli

PAGES = {
    "concepts/architecture.md": architecture.page,
    "concepts/architecture.svg": architecture.picture,
    "concepts/cost.svg": charts.cost,
    "concepts/exact.svg": charts.exact,
    "concepts/places.svg": places.picture,
    "concepts/side-branch.svg": charts.side_branch,
    "concepts/model.md": partial(tables.page, "concepts/model.md", tables.families),
    "guides/relations.md": partial(tables.page, "guides/relations.md", tables.kinds),
    "guides/exports.md": partial(tables.page, "guides/exports.md", tables.formats),
    "reference/api.md": api.page,
    "reference/cli.md": cli.page,
    "reference/settings.md": settings.page,
}
"""Page or picture, below docs/ -> the function that makes its text."""

if __name__ == "__main__":
    for name, page in PAGES.items():
        (Path(__file__).parent / name).write_text(page(), encoding="utf-8")
