"""Land cover for tests: a small legend, polygons in a file, and the class fractions under every tile of a scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import geopandas
from shapely.geometry.base import BaseGeometry

from geocmer.imagery.grid import Grid
from geocmer.imagery.scene import Scene
from geocmer.imagery.tiling import Tile, TileReader
from geocmer.landcover.layer import ClassFractions, LandCover

FIVE = {"classes": [{"code": code, "label": f"class {code}"} for code in range(1, 6)], "nodata": [0]}


def under(scene_path: Path, cover: LandCover, size: int, **more: Any) -> Iterator[tuple[Tile, ClassFractions]]:
    """Every tile of a scene with its fractions."""
    with Scene.open(scene_path) as scene:
        grid = Grid.over(scene, size, **more)
        cover.fit(grid)
        for tile in TileReader(scene, grid, scene.stretch(), 0):
            yield tile, cover.fractions(tile)


def polygons(path: Path, shapes: Sequence[BaseGeometry], names: list[str | None], crs: int = 32633) -> Path:
    geopandas.GeoDataFrame({"what; 'is'": names}, geometry=shapes, crs=crs).to_file(path)
    return path
