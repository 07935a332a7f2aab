"""The collection that is served, with what was asked of it lately: answers, tiles that were shown, open scenes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from geocmer.errors import GeocmerError, InputError

from .given_images import GivenImages

if TYPE_CHECKING:
    from geocmer.collection import Collection
    from geocmer.export.hits import Hits
    from geocmer.search.results import Hit
    from geocmer.search.spot import Spot

    from .forms import SearchForm

KEPT_ANSWERS = 4
"""One with relations holds what the join needs of every tile: some 100 MB at a million."""
KEPT_TILES = 30_000
"""Tiles in memory with their thumbnails of some 3 kB: those of the three greatest answers."""
SAME_PLACE_HITS = 500
"""Tiles about a place that are looked at for its dates."""
Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The values that were used last, by key.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Value | None:
        """Return a value that is kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: Value) -> None:
        """Keep a value, and drop the one that was not used for longest."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer, with what was asked and what the library said of it.

    Attributes:
        key: stands for the question and the version of the store.
        form: what was asked.
        hits: the answer.
        notes: lines for the user.
    """

    key: str
    form: SearchForm
    hits: Hits
    notes: tuple[str, ...]


class Workspace:
    """A collection, asked by one search at a time.

    Args:
        open_collection: makes it; called with the function that takes notes.
    """

    def __init__(self, open_collection: Callable[[Callable[[str], None]], Collection]) -> None:
        self._notes: list[str] = []
        self.collection = open_collection(self._notes.append)
        self.images = GivenImages()
        self._answers: Recent[Asked] = Recent(KEPT_ANSWERS)
        self._tiles: Recent[Hit] = Recent(KEPT_TILES)
        self._searching, self._reading = threading.Lock(), threading.Lock()

    def warm_up(self) -> threading.Thread:
        """Load the model and the store before the first question, in a thread of its own, which is returned."""

        def load() -> None:
            with self._searching:
                try:
                    self.collection.search("warm up", k=1)
                except GeocmerError:
                    return  # whoever asks first is told
                finally:
                    self._notes.clear()

        thread = threading.Thread(target=load, daemon=True)
        thread.start()
        return thread

    def ask(self, form: SearchForm) -> Asked:
        """Answer a search, from memory if the store is as it was.

        Raises:
            GeocmerError: it cannot be answered.
        """
        with self._searching:
            version = self.collection.store.snapshot().version
            key = hashlib.blake2b(f"{version} {form!r}".encode(), digest_size=12).hexdigest()
            asked = self._answers.get(key)
            if asked is None:
                self._notes.clear()
                hits = self._search(form)
                notes = dict.fromkeys(note for note in self._notes if not note.startswith("model "))  # said elsewhere
                asked = Asked(key, form, hits, tuple(notes))
                self._answers.put(key, asked)
        return asked

    def _search(self, form: SearchForm) -> Hits:
        if form.before:
            return self.collection.change(form.q, **form.change_arguments())
        texts, arguments = form.arguments(self.images)
        return self.collection.search(*texts, **arguments)

    def answer(self, key: str) -> Asked:
        """Return an answer that was given lately.

        Raises:
            InputError: it is no longer kept.
        """
        asked = self._answers.get(key)
        if asked is None:
            raise InputError("this answer is no longer kept; search again")
        return asked

    def read(self, asked: Asked, start: int, stop: int) -> list[Hit]:
        """Read some hits of an answer; they and their partners are kept as tiles."""
        hits = asked.hits[start:stop]
        for hit in hits:
            self._tiles.put(hit.id, hit)
        return hits

    def tiles(self, ids: Iterable[str]) -> dict[str, Hit]:
        """Return tiles by id, from memory or from the store; those that it lacks are left out."""
        from geocmer.search.results import pixel_reader
        from geocmer.search.tile_lookup import find_tiles

        kept = {name: self._tiles.get(name) for name in ids}
        found = {name: hit for name, hit in kept.items() if hit is not None}
        missing = [name for name in kept if name not in found]
        if missing:
            store = self.collection.store
            for name, hit in find_tiles(store.snapshot(), missing, pixel_reader(store)).items():
                self._tiles.put(name, hit)
                found[name] = hit
        return found

    def tile(self, name: str) -> Hit:
        """Return one tile.

        Raises:
            InputError: the store lacks it.
        """
        found = self.tiles([name]).get(name)
        if found is None:
            raise InputError(f"tile {name[:32]} is not in the store")
        return found

    def same_place(self, name: str) -> list[Hit]:
        """Find the tiles of its size that show a tile's place, of each scene the one that overlaps most, oldest first.

        Args:
            name: id of the tile.

        Raises:
            GeocmerError: the store lacks the tile, or cannot be searched.
        """
        import numpy as np
        import shapely

        from geocmer.geometry.overlap import same_place, same_size, to_equal_area

        tile = self.tile(name)
        with self._searching:
            around = self.collection.search(like=[name], region=tile.geometry, keep="all", k=SAME_PLACE_HITS).hits
            self._notes.clear()
        shapes = to_equal_area(np.array([tile.geometry, *(hit.geometry for hit in around)], dtype=object))
        itself = np.repeat(shapes[:1], len(around))
        alike = same_place(itself, shapes[1:]) & same_size(itself, shapes[1:])
        shared = shapely.area(shapely.intersection(shapes[0], shapes[1:]))
        best: dict[str, Hit] = {}
        for place in np.argsort(-shared, kind="stable"):
            hit = around[place]
            self._tiles.put(hit.id, hit)
            if alike[place]:
                best.setdefault(hit.scene_id, hit)
        found = list({**best, tile.scene_id: tile}.values())
        return sorted(found, key=lambda hit: (hit.datetime is None, hit.datetime or 0, hit.id))

    def spot(self, asked: Asked, hit: Hit) -> Spot:
        """Find where in a tile the question of an answer is answered.

        Raises:
            GeocmerError: the scene is gone or has changed, or the encoder cannot be loaded.
        """
        with self._reading:
            find = self.collection.locate(asked.hits).find_spot
            assert find is not None  # of located hits
            return find(hit)

    def pixels(self, hit: Hit) -> Any:
        """Cut a tile from its scene: RGB (size, size, 3), and where it shows ground (size, size).

        Raises:
            InputError: the scene is gone or has changed.
        """
        from geocmer.store.tile_images import TileImageReader

        with self._reading:
            store = self.collection.store
            with TileImageReader(store) as reader:
                return reader.window(hit.scene_id, hit.row, hit.col)
