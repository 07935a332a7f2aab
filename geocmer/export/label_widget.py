"""Marking tiles in a notebook: click what shows it and what does not, and search again. Needs `geocmer[notebook]`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from .._files import bundled_file, naming_write_errors, write_atomically
from ..errors import GeocmerError, InputError
from .record import data_url, flat_attributes

if TYPE_CHECKING:
    from ..search.results import Hit
    from .hits import Hits

SearchAgain = Callable[[list[str], list[str]], "Hits"]
"""From the ids of tiles that show what is meant, and of those that do not, to new hits."""

_NOTHING_MARKED = "nothing is marked yet; click tiles that show what you mean, or do not"


class LabelWidget(anywidget.AnyWidget):
    """Hits as a grid; a click marks a tile yes, then no, then nothing; the keys y, n and Backspace do so too.

    Attributes:
        hits: those that are shown.
        labels: id of a tile -> True where it shows what is meant, False where it does not.
    """

    _esm = bundled_file("notebook", "label.js").read_text(encoding="utf-8")
    _css = bundled_file("notebook", "label.css").read_text(encoding="utf-8")
    title = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    tiles: Any = traitlets.List().tag(sync=True)
    labels = traitlets.Dict(value_trait=traitlets.Bool(), key_trait=traitlets.Unicode()).tag(sync=True)

    def __init__(self, hits: Hits, search: SearchAgain) -> None:
        super().__init__(title=hits.title)
        self._search = search
        self._seen: dict[str, Hit] = {}
        self._show(hits)
        self.on_msg(self._on_message)

    @property
    def yes(self) -> list[str]:
        """The ids of tiles marked as what is meant, in the order of marking."""
        return [key for key, meant in self.labels.items() if meant]

    @property
    def no(self) -> list[str]:
        """The ids of tiles marked as something else."""
        return [key for key, meant in self.labels.items() if not meant]

    def search_again(self) -> Hits:
        """Search with the marks, as the button does; show and return the new hits.

        Raises:
            InputError: nothing is marked.
        """
        if not self.labels:
            raise InputError(_NOTHING_MARKED)
        self._show(self._search(self.yes, self.no))
        return self.hits

    def save(self, path: str | Path) -> int:
        """Write the marked tiles as GeoJSON, with the property `label`, yes or no; return how many there are.

        Raises:
            InputError: nothing is marked, or the file cannot be written.
        """
        import geopandas

        if not self.labels:
            raise InputError(_NOTHING_MARKED)
        marked = [self._seen[key] for key in self.labels]
        words = ["yes" if meant else "no" for meant in self.labels.values()]
        records = [{**flat_attributes(hit), "label": word} for hit, word in zip(marked, words, strict=True)]
        frame = geopandas.GeoDataFrame(records, geometry=[hit.geometry for hit in marked], crs="EPSG:4326")
        with naming_write_errors(Path(path)):
            write_atomically(Path(path), frame.to_json(drop_id=True))
        return len(frame)

    def _show(self, hits: Hits) -> None:
        self.hits = hits
        self._seen |= {hit.id: hit for hit in hits}
        self.tiles = [
            {
                "id": hit.id,
                "rank": hit.rank,
                "score": hit.score,
                "category": hit.category or "",
                "picture": data_url(hit.thumbnail),
            }
            for hit in hits
        ]

    def _on_message(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        """Search when the button is pressed; an error is said in the widget, as no cell is running."""
        if content.get("type") != "search":
            return
        self.busy, self.note = True, ""
        try:
            self.search_again()
        except GeocmerError as error:
            self.note = str(error)
        finally:
            self.busy = False
