"""The front door: a store together with the encoder that made its vectors, and all that one does with them.

A method stands in the module of its kind and calls the package that does the work.
"""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

from .comparing import Comparing
from .keeping import Keeping
from .learning import Learning
from .opening import check_names
from .teaching import Teaching
from .watching import Watching
from .writing import Writing

__all__ = ["Collection", "open"]


def open(path: str | Path, **options: Any) -> Collection:  # noqa: A001  # geocmer.open, as gzip.open
    """Open a store of tiles; one that is not there yet is made by the first `add`. For the options see `Collection`.

    Raises:
        StoreError: `path` is not a store, or there is no such version.
    """
    check_names(open, options, signature(Collection.__init__).parameters)
    collection = Collection(path, **options)
    _ = collection.is_there() and collection.store
    return collection


class Collection(Keeping, Watching, Comparing, Teaching, Learning, Writing):
    """Tiles, and the encoder that searches them. Made by `geocmer.open`.

    Args:
        path: folder or object store.
        as_of: read it as it was: a version's number, a date or a time; see `Store.open`.
        model: towers, and `adapter`, a folder, see `Encoder.load`. None: what made the vectors, or the bundled ones.
        device: auto, cuda, mps or cpu.
        views: of a tile that are averaged where it is embedded, 1, 2, 4 or 8. None: as many as made the vectors, or 1.
        encoder: one that is loaded already, instead of `model`, `adapter`, `device` and `views`.
        storage_options: how to reach object stores; see `store.address.set_storage_options`.
        notify: gets a line about which model is used and how words are read.
    """
