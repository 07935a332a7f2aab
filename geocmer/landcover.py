"""Land cover under a tile: class fractions from a raster or from polygons.

A raster is brought onto the tile's grid by nearest neighbour, never by interpolation, which would invent classes. Where
its pixels are smaller than the grid's, the grid is subdivided, so that no land-cover pixel is passed over.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.features import rasterize
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from .errors import CRSError, LandCoverError
from .legend import Legend
from .tiles import BLOCK, Grid, Tile

_FINEST = 16
"""Most subdivisions of a grid pixel, per axis: 1 m land cover under a 16 m scene is still read pixel by pixel."""


@dataclass(frozen=True, slots=True)
class ClassFractions:
    """What a tile consists of.

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
        hash: of the file, the legend and the class column: whether two runs mean the same layer.
        notes: what the user should be told after reading: classes without names, unknown codes.
    """

    path: Path
    legend: Legend
    hash: str
    _source: _Raster | _Polygons
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
        with path.open("rb") as file:
            content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        if class_column is not None:
            polygons = _Polygons.read(path, class_column)
            return cls(path, polygons.legend, _key(content, polygons.legend, class_column), polygons)
        raster = _Raster(path, band)
        named = Legend.load(legend) if legend else Legend.from_raster(path, band)
        why = "its colour table has no names, so classes go by their codes; name them with --legend"
        notes = [] if legend or named.named else [f"land cover {path.name}: {why}"]
        return cls(path, named, _key(content, named, band), raster, notes)

    def fit(self, grid: Grid) -> None:
        """Prepare for the tiles of a grid.

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
        """Class fractions under a tile, over the pixels where both the tile and the land cover are valid.

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
            known_by = f"code {code} is not in legend {self.legend.name}, kept as 'unknown {code}'"
            note = f"land cover {self.path.name}: {known_by}"
            if note not in self.notes:
                self.notes.append(note)
        shares: dict[str, float] = {}
        for value, count in zip(values, counts, strict=True):
            label = self.legend.label(int(value))
            shares[label] = shares.get(label, 0.0) + int(count) / total
        ordered = dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
        return ClassFractions(ordered, total / max(1, int(tile.valid.sum()) * factor**2))


class _Raster:
    """Codes of a raster on the tile grid."""

    def __init__(self, path: Path, band: int) -> None:
        try:
            self._dataset = rasterio.open(path)
        except RasterioError as error:
            raise LandCoverError(
                f"land cover {path} is not a raster; for a vector file name its --class-column"
            ) from error
        self._path, self._band = path, band
        if self._dataset.crs is None:
            raise CRSError(f"land cover {path} has no CRS; assign one with: rio edit-info --crs EPSG:CODE {path.name}")
        if not 1 <= band <= self._dataset.count:
            raise LandCoverError(f"land cover {path} has no band {band}, only 1 to {self._dataset.count}")
        self._vrt: Any = None
        self._factor = 1

    def bounds(self, crs: Any) -> tuple[float, float, float, float]:
        b = self._dataset.bounds
        transformer = Transformer.from_crs(self._dataset.crs, CRS.from_user_input(crs), always_xy=True)
        west, south, east, north = transformer.transform_bounds(b.left, b.bottom, b.right, b.top)
        return west, south, east, north

    def fit(self, grid: Grid) -> None:
        self._factor = self._subdivisions(grid)
        self._vrt = WarpedVRT(
            self._dataset, crs=grid.crs, transform=grid.transform @ Affine.scale(1 / self._factor),
            width=grid.width * self._factor, height=grid.height * self._factor, resampling=Resampling.nearest,
            add_alpha=self._dataset.nodata is None,
        )  # fmt: skip

    def codes(self, tile: Tile) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        f, side = self._factor, tile.size * self._factor
        height, width = (
            min(side, limit - start * f) for limit, start in ((self._vrt.height, tile.row), (self._vrt.width, tile.col))
        )
        window = Window(tile.col * f, tile.row * f, width, height)
        data = self._vrt.read(self._band, window=window)
        mask = self._vrt.read_masks(self._band, window=window) > 0
        whole, known = np.zeros((side, side), np.int64), np.zeros((side, side), bool)
        if data.dtype.kind == "f":
            mask &= np.isfinite(data)
            odd = data[mask & (data != np.round(data))]
            if odd.size:
                raise LandCoverError(f"land cover {self._path} has fractional code {odd[0]:g}; it is no class map")
            data = np.where(mask, data, 0)
        whole[:height, :width], known[:height, :width] = data, mask
        return whole, known

    def _subdivisions(self, grid: Grid) -> int:
        """Grid pixels are divided until they are no larger than the land cover's, at the centre of the grid."""
        to_cover = Transformer.from_crs(CRS.from_user_input(grid.crs), self._dataset.crs, always_xy=True)
        column, row = grid.width / 2, grid.height / 2
        steps = [grid.transform @ at for at in ((column, row), (column + 1, row), (column, row + 1))]
        columns, rows = zip(*(~self._dataset.transform @ to_cover.transform(x, y) for x, y in steps), strict=True)
        across = max(math.hypot(columns[i] - columns[0], rows[i] - rows[0]) for i in (1, 2))
        return 1 if not math.isfinite(across) else min(_FINEST, max(1, math.ceil(across - 1e-3)))


class _Polygons:
    """Classes of polygons at the centres of the grid's pixels; where polygons overlap, the later one counts."""

    def __init__(self, path: Path, frame: Any, column: str) -> None:
        names = sorted(frame[column].dropna().astype(str).unique())
        self.legend = Legend.of(f"{path.name} {column}", [{"code": i + 1, "label": n} for i, n in enumerate(names)])
        self._code = {name: i + 1 for i, name in enumerate(names)}
        self._frame, self._column, self._fitted = frame, column, frame
        self._grid: Any = None
        self._drawn: tuple[int, int, NDArray[np.int32]] | None = None

    @classmethod
    def read(cls, path: Path, column: str) -> _Polygons:
        import geopandas

        try:
            frame = geopandas.read_file(path)
        except Exception as error:  # pyogrio raises its own unrelated types
            raise LandCoverError(
                f"land cover {path} is not a vector file; without --class-column it is read as a raster"
            ) from error
        if column not in frame.columns:
            there = ", ".join(c for c in frame.columns if c != "geometry")
            raise LandCoverError(f"land cover {path} has no column {column!r}; its columns are: {there}")
        if frame.crs is None:
            raise CRSError(f"land cover {path} has no CRS; assign one with: ogr2ogr -a_srs EPSG:CODE")
        somewhere = np.array([shape is not None and not shape.is_empty for shape in frame.geometry], bool)
        areas = frame[somewhere & frame[column].notna()]
        if areas.empty:
            raise LandCoverError(f"land cover {path} has no polygon with a class in column {column!r}")
        return cls(path, areas, column)

    def bounds(self, crs: Any) -> tuple[float, float, float, float]:
        west, south, east, north = map(float, self._frame.to_crs(CRS.from_user_input(crs)).total_bounds)
        return west, south, east, north

    def fit(self, grid: Grid) -> None:
        self._fitted, self._grid, self._drawn = self._frame.to_crs(CRS.from_user_input(grid.crs)), grid, None

    def codes(self, tile: Tile) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Tiles come row by row: polygons are drawn once for many of them, as a large one lies under them all."""
        size, drawn = tile.size, self._drawn
        if drawn is None or drawn[0] != tile.row or not drawn[1] <= tile.col <= drawn[1] + drawn[2].shape[1] - size:
            width = max(size, min(BLOCK, self._grid.width - tile.col))
            drawn = self._drawn = (tile.row, tile.col, self._draw(tile.transform, size, width))
        codes = drawn[2][:, tile.col - drawn[1] :][:, :size].astype(np.int64)
        return codes, codes > 0

    def _draw(self, transform: Affine, height: int, width: int) -> NDArray[np.int32]:
        corners = [transform @ c for c in ((0, 0), (width, 0), (0, height), (width, height))]
        xs, ys = zip(*corners, strict=True)
        box = shapely.box(min(xs), min(ys), max(xs), max(ys))
        near = self._fitted.iloc[np.sort(self._fitted.sindex.query(box))]
        shapes = [(g, self._code[str(name)]) for g, name in zip(near.geometry, near[self._column], strict=True)]
        if not shapes:
            return np.zeros((height, width), np.int32)
        codes: NDArray[np.int32] = rasterize(shapes, (height, width), fill=0, transform=transform, dtype="int32")
        return codes


def _key(content: str, legend: Legend, part: str | int) -> str:
    classes = sorted((c.code, c.label, c.category) for c in legend.classes.values())
    meaning = repr((content, classes, sorted(legend.nodata), part))
    return hashlib.blake2b(meaning.encode(), digest_size=16).hexdigest()
