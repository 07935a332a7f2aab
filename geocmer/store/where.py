"""Conditions on tiles in OGC CQL2 text: `built_up > 0.3 and category = 'forest' and datetime > DATE('2020-01-01')`.

A tile has `category`, `datetime`, `gsd`, `size` and `geometry`; any other name is a class label of the store, written
as it is in quotes, or with other signs than letters and digits as `_`, and means its share of the tile. The category
word that a bundled legend gives to a label (`forest` for `Tree cover`) means it too.

What a tile lacks is unknown, and so is what is said of it: a condition must be true for a tile to pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._files import bundled_file
from ..errors import InputError
from .areas import MaxTileExtent
from .condition_tests import Truth
from .condition_tree import ATTRIBUTES, Reader
from .cql2_text import read_tree
from .tile_columns import TileColumns, TileView

if TYPE_CHECKING:
    import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read.

    Attributes:
        text: as the user wrote it.
        attributes: those of a tile that it names.
        classes: the land-cover classes that it names.
        categories: the categories that it names as equal to a tile's, to be told from misspelt ones.
    """

    text: str
    attributes: frozenset[str]
    classes: tuple[str, ...]
    categories: tuple[str, ...]
    _truth: Truth = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition.

        Raises:
            InputError: it is no CQL2 text, or asks for what tiles do not have.
        """
        reader = Reader(text)
        truth = reader.truth(read_tree(text))
        classes, categories = (tuple(dict.fromkeys(names)) for names in (reader.classes, reader.categories))
        return cls(text, frozenset(reader.attributes), classes, categories, truth)

    def labels(self, present: Iterable[str]) -> dict[str, frozenset[str]]:
        """Find the labels that each class name means.

        Args:
            present: every label in the store.

        Raises:
            InputError: a name means none of them.
        """
        present = sorted(set(present))
        found = {}
        for name in self.classes:
            exact = {label for label in present if label == name}
            plain = {
                label
                for label in present
                if plain_name(name) in {plain_name(w) for w in (label, *_words().get(label, ()))}
            }
            found[name] = frozenset(exact or plain)
            if not found[name]:
                known_classes = ", ".join(plain_name(label) or repr(label) for label in present)
                what = (
                    f"no tile has a land-cover class {name!r}; the store knows: {known_classes}"
                    if known_classes
                    else f"class {name!r} cannot be asked for: no tile has land cover; tile with --landcover first"
                )
                raise InputError(f"{what}; every tile can be asked for {', '.join(ATTRIBUTES)}")
        return found

    def holds(self, tiles: TileColumns, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell which tiles meet the condition, (n,).

        Raises:
            InputError: it names a land-cover class that no tile has.
        """
        labels = self.labels(tiles.labels()) if self.classes else {}
        return self._truth.decide(TileView(tiles, rows, labels))[0]

    def prefilter(self, max_tile_extent: MaxTileExtent) -> pc.Expression | None:
        """Make an expression that lets through every tile that meets it, and others; None if all have to be read."""
        return self._truth.coarse(max_tile_extent) if self._truth.coarse else None


def plain_name(text: str) -> str:
    """Write a class label as a condition names it without quotes."""
    return re.sub(r"[\W_]+", "_", text.casefold()).strip("_")


@lru_cache(maxsize=1)
def _words() -> dict[str, set[str]]:
    """Label -> its category words in the legends that ship with geocmer."""
    words: dict[str, set[str]] = {}
    for entry in bundled_file("legends").iterdir():
        for item in json.loads(entry.read_text("utf-8"))["classes"]:
            words.setdefault(item["label"], set()).add(item.get("category", item["label"]))
    return words
