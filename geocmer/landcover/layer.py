"""Land cover under a tile: class fractions from a raster or from polygons."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from .._files import hash_file
from ..errors import LandCoverError
from ..imagery.grid import Grid
from ..imagery.tiling import Tile
from .legend import Legend
from .polygons import CoverPolygons
from .raster import CoverRaster


@dataclass(frozen=True, slots=True)
class ClassFractions:
    """The land cover of a tile.

    Attributes:
        shares: label -> share of the valid land-cover pixels, float64, largest first, ties by label; they sum to 1.
        coverage: share of the tile's area that has land cover, 0 to 1.
    """

    shares: Mapping[str, float]
    coverage: float


@dataclass(slots=True)
class LandCover:
    """An open land-cover layer.

    Attributes:
        hash: of the file, the legend and the class column; equal where two runs use the same layer.
        notes: what the user should know after reading: classes without names, unknown codes.
    """

    path: Path
    legend: Legend
    hash: str
    _source: CoverRaster | CoverPolygons
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(
        cls, path: str | Path, legend: str | Path | None = None, *, class_column: str | None = None, band: int = 1
    ) -> Self:
        """Open a raster, or a vector file where `class_column` is given.

        Args:
            path: the layer, in any CRS.
            legend: a legend's name or file; by default the raster's own table.
            class_column: the column of a vector file that holds the class.
            band: of the raster.

        Raises:
            LandCoverError: it cannot be read, or has no legend.
            CRSError: it has no CRS.
        """
        path = Path(path)
        if not path.is_file():
            raise LandCoverError(f"land cover {path} does not exist; give a raster or a vector file")
        content = hash_file(path)
        if class_column is not None:
            polygons = CoverPolygons.read(path, class_column)
            return cls(path, polygons.legend, _layer_hash(content, polygons.legend, class_column), polygons)
        raster = CoverRaster(path, band)
        named = Legend.load(legend) if legend else Legend.from_raster(path, band)
        why = "its colour table has no names, so classes go by their codes; name them with --legend"
        notes = [] if legend or named.has_names else [f"land cover {path.name}: {why}"]
        return cls(path, named, _layer_hash(content, named, band), raster, notes)

    def fit(self, grid: Grid) -> None:
        """Prepare the layer for the tiles of a grid.

        Raises:
            LandCoverError: the layer does not overlap the grid.
        """
        west, south, east, north = self._source.bounds(grid.crs)
        corners = [grid.transform @ c for c in ((0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height))]
        xs, ys = zip(*corners, strict=True)
        # Far outside its area a projection gives infinity, which compares as no overlap too.
        if not (max(xs) > west and min(xs) < east and max(ys) > south and min(ys) < north):
            raise LandCoverError(
                f"land cover {self.path} does not overlap the scene: it spans {west:.6g},{south:.6g},{east:.6g},"
                f"{north:.6g} in the scene's CRS, the scene {min(xs):.6g},{min(ys):.6g},{max(xs):.6g},{max(ys):.6g}; "
                "give the layer of this place"
            )
        self._source.fit(grid)

    def fractions(self, tile: Tile) -> ClassFractions:
        """Compute the class fractions under a tile, over the pixels where both the tile and the land cover are valid.

        Raises:
            LandCoverError: the layer has fractional codes.
        """
        codes, known = self._source.codes(tile)
        factor = codes.shape[0] // tile.size
        usable = known & np.repeat(np.repeat(tile.valid, factor, 0), factor, 1)
        if self.legend.nodata:
            usable &= ~np.isin(codes, list(self.legend.nodata))
        values, counts = np.unique(codes[usable], return_counts=True)
        total = int(counts.sum())
        unknown = [int(v) for v in values if int(v) not in self.legend.classes]
        for code in unknown:
            meaning = f"code {code} is not in legend {self.legend.name}, kept as 'unknown {code}'"
            note = f"land cover {self.path.name}: {meaning}"
            if note not in self.notes:
                self.notes.append(note)
        shares: dict[str, float] = {}
        for value, count in zip(values, counts, strict=True):
            label = self.legend.label(int(value))
            shares[label] = shares.get(label, 0.0) + int(count) / total
        ordered = dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
        return ClassFractions(ordered, total / max(1, int(tile.valid.sum()) * factor**2))


def _layer_hash(content: str, legend: Legend, part: str | int) -> str:
    classes = sorted((c.code, c.label, c.category) for c in legend.classes.values())
    meaning = repr((content, classes, sorted(legend.nodata), part))
    return hashlib.blake2b(meaning.encode(), digest_size=16).hexdigest()
