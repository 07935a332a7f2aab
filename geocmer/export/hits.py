"""The hits of a search with what people do with them: save, open in geopandas, look at them in a notebook."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ..search.results import Answer
from .notebook import MapFrame, html_summary
from .record import COLUMNS, flat_attributes
from .text_table import count_hits, text_table
from .writer import write

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


@dataclass(frozen=True, slots=True, repr=False)
class Hits(Answer):
    """An `Answer` that can be saved and shown: printed, as a table; in a notebook, as thumbnails, scores and a map.

    Attributes:
        title: what was searched for, for people.
    """

    title: str = ""

    @classmethod
    def of(cls, answer: Answer, title: str) -> Self:
        """Make an answer one that can be saved and shown."""
        return cls(**{field.name: getattr(answer, field.name) for field in fields(answer)}, title=title)

    def save(self, path: str | Path, *, thumbnails: bool = False, style: bool = False) -> int:
        """Write the hits to a file whose suffix tells the format, see `write`; return how many there are.

        Raises:
            InputError: the suffix is not known, or the file cannot be written.
        """
        return write(self, path, title=self.title, thumbnails=thumbnails, style=style)

    def to_geopandas(self) -> GeoDataFrame:
        """Read all hits into a GeoDataFrame, WGS84, with the columns that every export has."""
        import geopandas

        hits = self.hits
        records = {name: [] for name in COLUMNS} if not hits else [flat_attributes(hit) for hit in hits]
        return geopandas.GeoDataFrame(records, geometry=[hit.geometry for hit in hits], crs="EPSG:4326")

    def explore(self, height: int = 600) -> MapFrame:
        """Show the hits on a map in a notebook, to pan, click and filter: the page that `save("hits.html")` writes.

        Args:
            height: of the map, pixels.

        Raises:
            InputError: there are more hits than a page can hold.
        """
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "hits.html"
            self.save(page)
            return MapFrame(page.read_text(encoding="utf-8"), height)

    def __repr__(self) -> str:
        return f"<{count_hits(len(self))}{self.title and f' for {self.title!r}'}>"

    def __str__(self) -> str:
        return text_table(self, self.title)

    def _repr_html_(self) -> str:
        return html_summary(self, self.title)
