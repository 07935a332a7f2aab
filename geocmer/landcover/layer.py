"""Land cover under a tile: class fractions from rasters or from polygons."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, LandCoverError
from ..geometry.footprint import to_wgs84
from ..imagery.grid import Grid
from ..imagery.scene_list import find_scenes
from ..imagery.tiling import Tile
from .legend import Legend
from .mosaic import CoverMosaic, shared_legend
from .polygons import CoverPolygons
from .raster import CoverRaster
from .vector_layer import VectorLayer


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
    _source: CoverRaster | CoverMosaic | CoverPolygons
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(
        cls, path: str | Path, legend: str | Path | None = None, *, class_column: str | None = None, band: int = 1,
        layer: str | None = None,
    ) -> Self:  # fmt: skip
        """Open a raster, a folder of rasters, or a vector file where `class_column` is given.

        Args:
            path: the layer, in any CRS; of a folder or a glob (`folder/*_Map.tif`) all rasters are one layer.
            legend: a legend's name or file; by default the raster's own table, or the texts of the class column.
            class_column: the column of a vector file that holds the class.
            band: of the raster.
            layer: of a vector file with several.

        Raises:
            LandCoverError: it cannot be read, or has no legend.
            CRSError: it has no CRS.
        """
        path = Path(path)
        if path.is_dir() or (glob.has_magic(str(path)) and not path.exists()):
            return cls._of_many(path, legend, class_column, layer, band)
        if not path.is_file():
            raise LandCoverError(f"land cover {path} does not exist; give a raster or a vector file")
        if class_column is not None:
            given = Legend.load(legend) if legend else None
            polygons = CoverPolygons(VectorLayer.read(path, class_column, layer), given)
            key = _layer_hash(polygons.hash, polygons.legend, repr((class_column, layer)))
            return cls(path, polygons.legend, key, polygons, polygons.notes)
        if layer is not None:
            raise LandCoverError(f"layer {layer!r} is one of a vector file; name the --class-column of {path} as well")
        raster = CoverRaster(path, band)
        named = Legend.load(legend) if legend else Legend.from_raster(path, band)
        return cls(path, named, _layer_hash(raster.hash, named, band), raster, _legend_notes(path, legend, named))

    @classmethod
    def _of_many(
        cls, path: Path, legend: str | Path | None, class_column: str | None, layer: str | None, band: int
    ) -> Self:
        if class_column is not None or layer is not None:
            raise LandCoverError(
                f"land cover {path} is no vector file; several rasters need neither --class-column nor --layer"
            )
        try:
            paths = [source.address.path for source in find_scenes([path])]
        except InputError as error:
            raise LandCoverError(f"land cover {path} holds no raster; give a folder of GeoTIFFs") from error
        named = Legend.load(legend) if legend else shared_legend(paths, [Legend.from_raster(p, band) for p in paths])
        rasters = CoverMosaic(paths, band, named.nodata)
        return cls(path, named, _layer_hash(rasters.hash, named, band), rasters, _legend_notes(path, legend, named))

    def fit(self, grid: Grid) -> None:
        """Prepare the layer for the tiles of a grid.

        Raises:
            LandCoverError: the layer does not overlap the grid.
        """
        if not self._source.fit(grid):
            x, y = grid.transform @ (grid.width / 2, grid.height / 2)
            lon, lat = to_wgs84(grid.crs).transform(x, y)
            raise LandCoverError(
                f"land cover {self.path} does not overlap the scene, whose centre is at {lon:.4f},{lat:.4f}; "
                "give the layer of this place"
            )

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
        values, counts = _counted(codes[usable])
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


def _legend_notes(path: Path, legend: str | Path | None, found: Legend) -> list[str]:
    why = "its colour table has no names, so classes go by their codes; name them with --legend"
    return [] if legend or found.has_names else [f"land cover {path.name}: {why}"]


def _counted(codes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Find the codes there are, ascending, and how often; counting small ones is several times as fast as sorting."""
    if codes.dtype.kind == "u" and codes.dtype.itemsize <= 2:
        counts = np.bincount(codes)
        values = np.flatnonzero(counts)
        return values, counts[values]
    return np.unique(codes, return_counts=True)


def _layer_hash(content: str, legend: Legend, part: str | int) -> str:
    classes = sorted((c.code, c.label, c.category) for c in legend.classes.values())
    meaning = repr((content, classes, sorted(legend.nodata), part))
    return hashlib.blake2b(meaning.encode(), digest_size=16).hexdigest()
