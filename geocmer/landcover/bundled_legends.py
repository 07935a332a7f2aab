"""The legends that ship with geocmer: one JSON file each in `data/legends`, found by its name.

A new legend is a new file there, and nothing else: help texts, docs and messages list what is found. This module
imports nothing heavy, as `geocmer --help` needs it.
"""

from __future__ import annotations

import json
from importlib.resources.abc import Traversable
from typing import Any

from .._files import bundled_file


def legend_folder() -> Traversable:
    """Find the folder of the bundled legends."""
    return bundled_file("legends")


def legend_names() -> list[str]:
    """List the names of the bundled legends, sorted."""
    return sorted(
        entry.name.removesuffix(".json") for entry in legend_folder().iterdir() if entry.name.endswith(".json")
    )


def read_legend(name: str) -> dict[str, Any]:
    """Read the JSON of a bundled legend: `classes`, a list of code, label and category, and `nodata`, a list of codes.

    Raises:
        FileNotFoundError: there is no such legend.
    """
    raw: dict[str, Any] = json.loads((legend_folder() / f"{name}.json").read_text("utf-8"))
    return raw
