"""Regions against extents: a coarse filter by boxes, and the exact decision with few footprints."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

from ..geometry.region import Region
from ..geometry.region_grid import GRID_MIN_EXTENTS, RegionGrid

if TYPE_CHECKING:
    import pyarrow.compute as pc

MAX_BOXES = 8
"""A region in more parts than this is prefiltered by one box around them all."""

MaxTileExtent: TypeAlias = Callable[[], tuple[float, float, float]]
"""Reads `Snapshot.max_tile_extent`."""


def near(region: Region, max_tile_extent: MaxTileExtent) -> pc.Expression:
    """Make an expression that lets through every tile that shares a point with a region, and some near it."""
    from pyarrow.compute import field as column

    width, height, east = max_tile_extent()
    return reduce(
        or_,
        [
            # The lower bounds of xmin and ymin say nothing new: they let an index on these two find the box.
            (column("xmin") >= west - width)
            & (column("xmin") <= right)
            & (column("ymin") >= south - height)
            & (column("ymin") <= north)
            & (column("xmax") >= west)
            & (column("ymax") >= south)
            for west, south, right, north in boxes(region, east)
        ],
    )


def boxes(region: Region, east: float) -> list[tuple[float, float, float, float]]:
    """Make boxes (west, south, east, north) that hold a region, comparable with unwrapped extents.

    A tile that crosses the antimeridian keeps its place by `xmin` and reaches beyond 180, so what lies at -179 may be
    found at 181: each box is tried there as well if any tile reaches that far.

    Args:
        region: what is asked for.
        east: the largest `xmax` of all tiles.
    """
    parts = [(box.west, box.south, box.east, box.north) for box in region.boxes()]
    if len(parts) > MAX_BOXES:
        west, south, right, north = zip(*parts, strict=True)
        parts = [(min(west), min(south), max(right), max(north))]
    beyond = [(w + 360, s, e + 360, n) for w, s, e, n in parts if w + 360 <= east]
    return parts + beyond


def inside(
    region: Region,
    extents: NDArray[np.float64],
    geometry: Callable[[NDArray[np.intp]], NDArray[np.object_]],
) -> NDArray[np.bool_]:
    """Tell which tiles share at least a point with a region, exactly.

    A tile lies within its extent. So an extent within the region settles the matter, and one apart from it too; only
    the footprints of the others, along the region's edge, are looked at.

    Args:
        region: what is asked for.
        extents: (n, 4) unwrapped extents.
        geometry: footprints of the rows with these indices.

    Returns:
        (n,) True where the footprint intersects the region.
    """
    xmin, ymin, xmax, ymax = extents.T
    crossing = xmax > 180  # rare, and not comparable with a region that is cut at 180: decided by footprint
    near, within = crossing.copy(), np.zeros(len(extents), bool)
    for west, south, east, north in boxes(region, -180.0):
        near |= (xmin <= east) & (xmax >= west) & (ymin <= north) & (ymax >= south)
    rectangles = [part.bounds for part in shapely.get_parts(region.geometry) if part.equals(shapely.box(*part.bounds))]
    for west, south, east, north in rectangles:
        within |= (xmin >= west) & (xmax <= east) & (ymin >= south) & (ymax <= north)
    if len(rectangles) < shapely.get_num_geometries(region.geometry):
        unsure = np.flatnonzero(near & ~within & ~crossing)
        if len(unsure) >= GRID_MIN_EXTENTS and shapely.area(region.geometry) > 0:
            within[unsure], apart = RegionGrid(region.geometry).classify(extents[unsure])
            near[unsure[apart]] = False
            unsure = unsure[~within[unsure] & ~apart]
        shapely.prepare(region.geometry)
        around: NDArray[np.object_] = np.asarray(shapely.box(*extents[unsure].T), dtype=object)
        clear = shapely.contains_properly(region.geometry, around)
        within[unsure] = clear
        near[unsure[~clear]] = shapely.intersects(region.geometry, around[~clear])
    within &= ~crossing
    unsure = np.flatnonzero(near & ~within)
    if len(unsure):
        within[unsure] = region.intersects(geometry(unsure))
    return within
