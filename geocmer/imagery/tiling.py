"""Tiles: the windows read from a scene's grid, and a report of how many were made and why others were dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.windows import Window
from shapely import MultiPolygon, Polygon

from ..errors import CRSError, InputError
from .grid import EDGE_NOTE, Grid
from .ids import scene_id, tile_ids
from .scene import Scene
from .stretch import Stretch

BLOCK_WIDTH_PIXELS = 2048
"""Widest read, unless one tile is wider: reading tile by tile is slower, and a whole row grows with the scene."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: `pixels` is uint8 RGB (size, size, 3); `valid` is bool (size, size), True where a pixel holds data."""

    id: str
    scene_id: str
    row: int
    col: int
    size: int
    transform: Affine
    crs: CRS
    footprint: Polygon | MultiPolygon
    gsd: float
    valid_share: float
    covered: tuple[int, int]
    """Rows and columns that lie in the scene: fewer than `size` where a scene is smaller than a tile."""
    pixels: NDArray[np.uint8] = field(repr=False)
    valid: NDArray[np.bool_] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Block:
    """Tiles of one row that are read together: `data` is (3, height, width), `valid` (height, width), as in `Scene`."""

    row: int
    columns: list[int]
    data: NDArray[Any] = field(repr=False)
    valid: NDArray[np.bool_] = field(repr=False)


@dataclass(slots=True)
class TilingReport:
    """How many windows of a grid became tiles, and why the others did not."""

    total: int
    made: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    covered: float = 0.0
    """Share of the scene's valid pixels that lie in a made tile, 0 to 1."""
    edge_note: str = EDGE_NOTE

    def lines(self) -> list[str]:
        """Give the report as lines of text."""
        dropped = [f"{count} dropped: {why}" for why, count in self.dropped.items()]
        head = f"{self.made} of {self.total} tiles made, {self.covered:.1%} of the valid area covered"
        return [head, *dropped, self.edge_note]

    def to_json(self) -> dict[str, Any]:
        """Give the report as a JSON object."""
        return asdict(self)


class TileReader:
    """Reads the tiles of a scene, row by row. Memory holds one block of tiles, whatever the size of the raster.

    Iterate once; `report` is complete afterwards.

    Args:
        scene: open.
        grid: over that scene.
        stretch: of that scene.
        min_valid: least share of valid pixels in a tile.
        skip: tells the ids of tiles that exist already: they are counted, but not returned.
        on_window: progress, (done, total) windows.
    """

    def __init__(
        self, scene: Scene, grid: Grid, stretch: Stretch, min_valid: float = 0.5,
        skip: Callable[[str], bool] | None = None, on_window: Callable[[int, int], None] | None = None,
    ) -> None:  # fmt: skip
        if not 0 <= min_valid <= 1:
            raise InputError(f"min-valid {min_valid} is not a share; give 0 to 1")
        self.scene, self.grid, self.stretch, self.min_valid = scene, grid, stretch, min_valid
        self._skip, self._on_window = skip or (lambda _: False), on_window
        self._scene_id = scene_id(scene.content_hash, scene.view, grid)
        self.report = TilingReport(len(grid), edge_note=grid.edge_note)

    def __iter__(self) -> Iterator[Tile]:
        return self.tiles(self.blocks())

    def blocks(self) -> Iterator[Block]:
        """Read the scene, block by block; the file is touched by nothing else."""
        for row in self.grid.rows():
            for columns in self._columns():
                yield Block(row, columns, *self._read(row, columns[0], columns[-1] + self.grid.size - columns[0]))

    def tiles(self, blocks: Iterable[Block]) -> Iterator[Tile]:
        """Make the tiles of all blocks, in their order; blocks may be read in another thread meanwhile."""
        coverage = _CoverageCounter(self.grid)
        size, done = self.grid.size, 0
        name_of = tile_ids(self.scene.content_hash, self.scene.view, self.grid)
        for block in blocks:
            row, first, valid = block.row, block.columns[0], block.valid
            shown: NDArray[np.uint8] | None = None  # of the whole block, once one of its tiles is made
            whole = bool(valid.all())
            outlines = self._outlines(row, block.columns, valid.shape)
            for col, outlined in zip(block.columns, outlines, strict=True):
                inside = slice(col - first, col - first + size)
                part = valid[:, inside]
                share = float(part.size if whole else np.count_nonzero(part)) / size**2
                outline = self._keep(share, outlined)
                coverage.add(row, col, part, whole, outline is not None)
                if outline is not None:
                    name = name_of(row, col)
                    if not self._skip(name):
                        if shown is None:
                            shown = self.stretch.apply(block.data, valid).transpose(1, 2, 0)
                        yield self._tile(name, row, col, outline, share, shown[:, inside], part)
                done += 1
                if self._on_window:
                    self._on_window(done, self.report.total)
        self.report.covered = coverage.share()

    def window(self, row: int, col: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Read one window: uint8 RGB (size, size, 3) and validity (size, size), equal to those of its tile."""
        data, valid = self._read(row, col, self.grid.size)
        return self._padded(self.stretch.apply(data, valid).transpose(1, 2, 0)), self._padded(valid)

    def pixels(self, row: int, col: int) -> NDArray[np.uint8]:
        """Read one window as uint8 RGB (size, size, 3), equal to the pixels of its tile."""
        return self.window(row, col)[0]

    def _padded(self, part: NDArray[Any]) -> NDArray[Any]:
        """Bring a part of a block (h, w, ...) to (size, size, ...), with zeros where the scene ends before the tile.

        A whole tile stays a view of its block, which its neighbours share: batches copy it once, as they are made.
        """
        size = self.grid.size
        if part.shape[:2] == (size, size):
            return part
        whole = np.zeros((size, size, *part.shape[2:]), part.dtype)
        whole[: part.shape[0], : part.shape[1]] = part
        return whole

    def _columns(self) -> Iterator[list[int]]:
        """Group the columns of tiles that are read together."""
        block: list[int] = []
        for col in self.grid.columns():
            if block and col + self.grid.size - block[0] > BLOCK_WIDTH_PIXELS:
                yield block
                block = []
            block.append(col)
        yield block

    def _outlines(
        self, row: int, columns: list[int], shape: tuple[int, ...]
    ) -> Iterator[Polygon | MultiPolygon | CRSError]:
        """Outline what lies in the scene of the windows of a block."""
        width = min(self.grid.size, shape[1])
        transform = self.grid.transform @ Affine.translation(0, row)
        return self.scene.georeference.footprints(transform, np.array(columns, np.int64), width, shape[0])

    def _keep(
        self, share: float, outline: Polygon | MultiPolygon | CRSError
    ) -> Polygon | MultiPolygon | None:  # fmt: skip
        """Count a window as made, and give the outline of what of it lies in the scene; or count why it is dropped."""
        if share > 0 and share >= self.min_valid:
            if not isinstance(outline, CRSError):
                self.report.made += 1
                return outline
            why = "not wholly on the Earth, in the scene's projection"
        else:
            why = "no valid pixel" if share == 0 else f"valid share under {self.min_valid:g}"
        self.report.dropped[why] = self.report.dropped.get(why, 0) + 1
        return None

    def _read(self, row: int, col: int, width: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read one row of tiles over `width` columns, clipped to the grid: bands (3, h, w) and validity (h, w)."""
        height, width = min(self.grid.size, self.grid.height - row), min(width, self.grid.width - col)
        across, down = self.grid.scale_x, self.grid.scale_y
        if across == 1 and down == 1:
            return self.scene.read(Window(col, row, width, height))
        return self.scene.read(Window(col * across, row * down, width * across, height * down), (height, width))

    def _gsd(self, row: int, col: int) -> float:
        """Compute metres per grid pixel at the centre of a tile: the scene's, unless the projection's scale varies."""
        place = self.scene.georeference
        if place.uniform_gsd:
            return self.grid.gsd
        x, y = self.grid.scale_x, self.grid.scale_y
        height, width = min(self.grid.size, self.grid.height - row), min(self.grid.size, self.grid.width - col)
        here = place.gsd((col + width / 2) * x, (row + height / 2) * y)
        return here * (x * y) ** 0.5 if np.isfinite(here) else self.grid.gsd

    def _tile(
        self, name: str, row: int, col: int, outline: Polygon | MultiPolygon, share: float, shown: NDArray[np.uint8],
        valid: NDArray[np.bool_],
    ) -> Tile:  # fmt: skip
        size, (h, w) = self.grid.size, valid.shape
        a, b, c, d, e, f = self.grid.transform[:6]
        transform = Affine(a, b, a * col + b * row + c, d, e, d * col + e * row + f)
        gsd, pixels, mask = self._gsd(row, col), self._padded(shown), self._padded(valid)
        return Tile(
            name, self._scene_id, row, col, size, transform, self.grid.crs, outline, gsd, share, (h, w), pixels, mask
        )  # fmt: skip


class _CoverageCounter:
    """Counts the valid pixels, and those inside a tile that was made, once each although tiles overlap.

    The borders of all tiles cut the grid into cells; a cell lies wholly inside or outside of every tile.
    """

    def __init__(self, grid: Grid) -> None:
        ends = [(grid.rows(), grid.height), (grid.columns(), grid.width)]
        self._cell_edges = [np.unique([*starts, *(min(s + grid.size, end) for s in starts)]) for starts, end in ends]
        self._places = [
            {start: self._place(edges, start, min(start + grid.size, end)) for start in starts}
            for edges, (starts, end) in zip(self._cell_edges, ends, strict=True)
        ]
        shape = tuple(len(edges) - 1 for edges in self._cell_edges)
        self._valid, self._kept = np.zeros(shape, np.int64), np.zeros(shape, bool)

    def add(self, row: int, col: int, valid: NDArray[np.bool_], whole: bool, made: bool) -> None:
        (rows, down), (columns, across) = self._places[0][row], self._places[1][col]
        if whole:
            counts: Any = down[:, None] * across
        elif len(down) == len(across) == 1:  # no other tile overlaps: one cell
            counts = np.count_nonzero(valid)
        else:
            counts = np.add.reduceat(valid.astype(np.int64), self._cell_edges[0][rows] - row, 0)
            counts = np.add.reduceat(counts, self._cell_edges[1][columns] - col, 1)
        self._valid[rows, columns] = counts
        if made:
            self._kept[rows, columns] = True

    @staticmethod
    def _place(edges: NDArray[np.int64], start: int, end: int) -> tuple[slice, NDArray[np.int64]]:
        """Find the cells of a row or column of tiles, and their lengths."""
        first, last = np.searchsorted(edges, (start, end))
        return slice(int(first), int(last)), np.diff(edges[first : last + 1])

    def share(self) -> float:
        total = int(self._valid.sum())
        return int(self._valid[self._kept].sum()) / total if total else 0.0
