"""A series as people use it: a table, JSON, a picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._files import naming_write_errors, require_folder, write_atomically
from ..errors import InputError
from ..imagery.times import utc_text
from ..search.series import Observation
from .formats.csv import escape_formula
from .series_plot import draw_series

COLUMNS = ("datetime", "probability", "id", "scene", "gsd", "valid_share")
SUFFIXES = (".csv", ".json", ".png")


@dataclass(frozen=True, slots=True)
class Series:
    """How probably a place shows something at each time it was seen, the earliest first.

    Attributes:
        title: what was asked for.
        place: longitude and latitude, WGS84.
        observations: the pictures.
    """

    title: str
    place: tuple[float, float]
    observations: tuple[Observation, ...]

    def __len__(self) -> int:
        return len(self.observations)

    def records(self) -> list[dict[str, Any]]:
        """Return the `COLUMNS` of each observation, as JSON can hold them."""
        return [
            {
                "datetime": utc_text(one.datetime),
                "probability": round(one.probability, 6),
                "id": one.id,
                "scene": one.scene,
                "gsd": float(f"{one.gsd:.6g}"),
                "valid_share": float(f"{one.valid_share:.6g}"),
            }
            for one in self.observations
        ]

    def save(self, path: str | Path) -> int:
        """Write the series by the suffix of the file: a table, JSON or a picture; return how many times there are.

        Raises:
            InputError: the suffix is none of these, or the file cannot be written.
        """
        path = Path(path)
        suffix = require_series_file(path)
        writers: dict[str, Callable[[], str | bytes]] = {".csv": self._csv, ".json": self._json, ".png": self._png}
        content = writers[suffix]()
        with naming_write_errors(path):
            write_atomically(path, content)
        return len(self)

    def _csv(self) -> str:
        file = io.StringIO(newline="")
        rows = csv.DictWriter(file, COLUMNS)
        rows.writeheader()
        rows.writerows({name: escape_formula(value) for name, value in record.items()} for record in self.records())
        return file.getvalue()

    def _json(self) -> str:
        lon, lat = self.place
        return json.dumps({"title": self.title, "lon": lon, "lat": lat, "series": self.records()}, indent=1) + "\n"

    def _png(self) -> bytes:
        return draw_series(self.title, self.place, self.observations)


def require_series_file(path: Path) -> str:
    """Refuse a file that a series cannot be written to, and return its suffix.

    Raises:
        InputError: the suffix is not known, or the folder is not there.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: a series is written as {', '.join(SUFFIXES)}; name a file that ends so")
    require_folder(path)
    return suffix
