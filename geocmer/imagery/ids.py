"""The ids of scenes and tiles: hashes of what they show and where, so that the same tile always gets the same id."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .grid import Grid

MIN_ID_DIGITS = 6
"""The first so many digits stand for an id, if no other begins so."""
_ID = re.compile(r"[0-9a-f]{32}")
_ID_START = re.compile(rf"[0-9a-f]{{{MIN_ID_DIGITS},32}}")


def tile_ids(content_hash: str, view: tuple[object, ...], grid: Grid) -> Callable[[int, int], str]:
    """Return what gives the id of a tile, 32 hex digits, by its row and column; the grid is written down once."""
    key = grid.key()
    return lambda row, col: _digest(content_hash, view, key, (row, col))


def scene_id(content_hash: str, view: tuple[object, ...], grid: Grid) -> str:
    """Identify a scene under a grid by 32 hex digits."""
    return _digest(content_hash, view, grid.key(), grid.stride)


def is_id(text: str) -> bool:
    """Tell whether a text has the form of an id."""
    return bool(_ID.fullmatch(text))


def is_id_start(text: str) -> bool:
    """Tell whether a text may stand for an id: all of its digits, or enough of the first, in lower case."""
    return bool(_ID_START.fullmatch(text))


def _digest(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
