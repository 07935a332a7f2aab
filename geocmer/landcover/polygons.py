"""Land-cover polygons, rasterized on the grid of the tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize

from .._files import hash_file
from ..errors import LandCoverError
from ..imagery.grid import Grid
from ..imagery.tiling import BLOCK_WIDTH_PIXELS, Tile
from .legend import LandClass, Legend, whole_number
from .vector_layer import VectorLayer, clipped_to_grid


class CoverPolygons:
    """Classes of polygons at the centres of the grid's pixels; where polygons overlap, the later one counts.

    Args:
        layer: polygons with a text for each.
        legend: what the texts mean, where they are codes or labels of it; each text is a class of its own if None.
    """

    def __init__(self, layer: VectorLayer, legend: Legend | None = None) -> None:
        self._layer, self.notes = layer, list(layer.notes)
        texts = sorted(set(layer.texts))
        classes: list[LandClass] = []
        self._code: dict[str, int] = {}
        unknown = []
        for text in texts:
            entry = _entry(text, legend)
            if legend is not None and entry is not None and entry.code in legend.nodata:
                continue
            if legend is not None and entry is None:
                unknown.append(text)
            number = self._code[text] = len(classes) + 1
            label, category = (entry.label, entry.category) if entry else (text, text.lower())
            classes.append(LandClass(number, label, category))
        if not classes:
            raise LandCoverError(f"land cover {layer.path} has no polygon with a class in column {layer.column!r}")
        if unknown:
            self.notes.append(
                f"land cover {layer.path.name}: {', '.join(map(repr, unknown[:5]))} of column {layer.column} "
                f"are not in legend {legend.name if legend else ''}, kept as they are"
            )
        name = legend.name if legend else f"{layer.path.name} {layer.column}"
        self.legend = Legend(name, {entry.code: entry for entry in classes})
        self._shapes: NDArray[np.object_] = np.empty(0, object)
        self._codes: NDArray[np.int32] = np.empty(0, np.int32)
        self._tree: shapely.STRtree | None = None
        self._grid: Grid | None = None
        self._strip: tuple[int, int, NDArray[np.int32]] | None = None

    @property
    def hash(self) -> str:
        """Hash the content of all files of the layer."""
        path = self._layer.path
        beside = [path.with_suffix(suffix) for suffix in (".dbf", ".prj", ".cpg", ".shx")]
        parts = [path, *(p for p in beside if path.suffix.lower() == ".shp" and p.is_file())]
        return ",".join(hash_file(part) for part in parts)

    def fit(self, grid: Grid) -> bool:
        """Bring the polygons under a grid into its CRS, and say whether there are any."""
        shapes, rows = clipped_to_grid(self._layer, grid)
        coded = np.array([self._code.get(self._layer.texts[row], 0) for row in rows], np.int32)
        self._shapes, self._codes = shapes[coded > 0], coded[coded > 0]
        self._tree, self._grid, self._strip = shapely.STRtree(self._shapes), grid, None
        return bool(len(shapes))

    def codes(self, tile: Tile) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Rasterize the codes (size, size) under a tile, and where they are known.

        Tiles come row by row: one rasterization serves many, as a large polygon lies under all of them.
        """
        size, strip, grid = tile.size, self._strip, self._grid
        assert grid is not None, "fit() comes first"
        if strip is None or strip[0] != tile.row or not strip[1] <= tile.col <= strip[1] + strip[2].shape[1] - size:
            width = max(size, min(BLOCK_WIDTH_PIXELS, grid.width - tile.col))
            strip = self._strip = (tile.row, tile.col, self._rasterize(tile.transform, size, width))
        codes = strip[2][:, tile.col - strip[1] :][:, :size]
        return codes, codes > 0

    def _rasterize(self, transform: Affine, height: int, width: int) -> NDArray[np.int32]:
        corners = [transform @ c for c in ((0, 0), (width, 0), (0, height), (width, height))]
        xs, ys = zip(*corners, strict=True)
        box = shapely.box(min(xs), min(ys), max(xs), max(ys))
        near = np.sort(self._tree.query(box)) if self._tree is not None else np.empty(0, np.intp)
        if not len(near):
            return np.zeros((height, width), np.int32)
        shapes = zip(self._shapes[near], self._codes[near].tolist(), strict=True)
        codes: NDArray[np.int32] = rasterize(shapes, (height, width), fill=0, transform=transform, dtype="int32")
        return codes


def _entry(text: str, legend: Legend | None) -> LandClass | None:
    """Find a class by its code or its label."""
    if legend is None:
        return None
    try:
        return legend.classes.get(whole_number(text))
    except (ValueError, OverflowError):
        return next((entry for entry in legend.classes.values() if entry.label.lower() == text.lower()), None)
