"""Detections: tiles that probably show something, merged with their neighbours into polygons, and written to a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._files import draft_folder, require_folder
from .._types import Float64s, Rows
from ..errors import InputError
from ..geometry.merge import geodesic_areas, merge_footprints
from ..search.tile_probabilities import TileProbabilities
from .format import Format, known_formats
from .record import round_geometries

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


@dataclass(frozen=True, slots=True)
class Detections:
    """Polygons, the most probable first.

    Attributes:
        title: what was looked for.
        polygons: (m,) WGS84, cut at the antimeridian.
        tiles: (m,) how many tiles each was merged of.
        mean: (m,) their mean probability.
        peak: (m,) their greatest probability.
        areas: (m,) square metres on the ellipsoid.
    """

    title: str
    polygons: NDArray[np.object_] = field(repr=False)
    tiles: Rows = field(repr=False)
    mean: Float64s = field(repr=False)
    peak: Float64s = field(repr=False)
    areas: Float64s = field(repr=False)

    def __len__(self) -> int:
        return len(self.polygons)

    @classmethod
    def of(cls, tiles: TileProbabilities, title: str, least: float) -> Detections:
        """Merge the tiles with a probability of `least` and more.

        Raises:
            InputError: `least` is no probability.
        """
        if not 0 <= least <= 1:
            raise InputError(f"the least probability is {least:g}; give one between 0 and 1, for instance 0.5")
        rows = np.flatnonzero(tiles.values >= np.float32(least))
        group, polygons = merge_footprints(tiles.footprints(rows))
        count = len(polygons)
        p = tiles.values[rows].astype(np.float64)
        number = np.bincount(group, minlength=count)
        mean = np.bincount(group, p, count) / np.maximum(number, 1)
        peak = np.zeros(count)
        np.maximum.at(peak, group, p)
        areas = geodesic_areas(polygons)
        order = np.lexsort([-areas, -mean])
        return cls(title, polygons[order], number[order], mean[order], peak[order], areas[order])

    def to_geopandas(self) -> GeoDataFrame:
        """Make a GeoDataFrame, WGS84, a row for each polygon."""
        import geopandas

        columns: dict[str, Any] = {
            "rank": np.arange(1, len(self) + 1),
            "name": [self.title] * len(self),
            "probability": self.mean.round(6),
            "max_probability": self.peak.round(6),
            "area_m2": self.areas.round(1),
            "area_km2": (self.areas / 1e6).round(6),
            "tiles": self.tiles,
        }
        return geopandas.GeoDataFrame(columns, geometry=round_geometries(self.polygons), crs="EPSG:4326")

    def save(self, path: str | Path) -> int:
        """Write the polygons, whole or not at all; return how many there are.

        Raises:
            InputError: the suffix is not known, or the file cannot be written.
        """
        path = Path(path)
        kind = require_detections_file(path)
        assert kind.write_frame is not None  # or it would have been refused
        frame = self.to_geopandas()
        with draft_folder(path) as folder:
            draft = folder / f"draft{kind.suffix}"
            kind.write_frame(frame, draft, path.stem)
            draft.replace(path)
        return len(self)


def detection_suffixes() -> list[str]:
    """List the suffixes of the files that polygons can be written to."""
    return [suffix for suffix, kind in known_formats().items() if kind.write_frame]


def require_detections_file(path: Path) -> Format:
    """Refuse a file that polygons cannot be written to, and return its format.

    Raises:
        InputError: the suffix is not known, or the folder is not there.
    """
    kind = known_formats().get(path.suffix.lower())
    if kind is None or kind.write_frame is None:
        known = ", ".join(detection_suffixes())
        raise InputError(f"{path}: detections are written as {known}, or as .tif, the probability of every place")
    require_folder(path)
    return kind
