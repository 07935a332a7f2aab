"""Merging footprints: which belong together and what they cover, as counted on a grid and measured one by one."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from scipy.ndimage import label

from geocmer.geometry.footprint import footprint
from geocmer.geometry.merge import geodesic_areas, merge_footprints

CELLS = st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=7, max_size=7)


@settings(max_examples=examples(25))
@given(CELLS, st.sampled_from([0.0, 1e-9, 3e-7]), st.sampled_from([12.0, 179.98]))
def test_tiles_of_a_grid_merge_as_its_cells_do(cells: list[list[bool]], noise: float, west: float) -> None:
    grid = np.array(cells)
    rng = np.random.default_rng(0)
    rows, columns = np.nonzero(grid)
    boxes = []
    for row, col in zip(rows, columns, strict=True):
        x = west + 0.01 * col - (360 if west + 0.01 * col >= 180 - 1e-9 else 0)
        ring = shapely.get_coordinates(shapely.box(x, 40 + 0.01 * row, x + 0.01, 40.01 + 0.01 * row))[:-1]
        boxes.append(shapely.Polygon(np.clip(ring + rng.uniform(-noise, noise, ring.shape), -180, 180)))
    footprints = np.array(boxes, object)
    group, merged = merge_footprints(footprints)
    named, count = label(grid, np.ones((3, 3)))  # cells that share a corner touch
    assert len(merged) == count
    assert len(group) == len(footprints)
    assert len({*zip(group.tolist(), named[rows, columns].tolist(), strict=True)}) == count
    assert shapely.is_valid(merged).all()
    geod = Geod(ellps="WGS84")
    for number in range(count):
        alone = sum(abs(geod.geometry_area_perimeter(box)[0]) for box in footprints[group == number])
        assert geodesic_areas(merged)[number] == pytest.approx(alone, rel=1e-3)


@pytest.mark.parametrize("stride", [256, 128])
def test_projected_neighbours_leave_no_slit(stride: int) -> None:
    transform = Affine(10, 0, 600_000, 0, -10, 4_500_000)
    tiles = [footprint(transform @ Affine.translation(c, r), 256, 256, "EPSG:32633")
             for r in range(0, 1024, stride) for c in range(0, 1024, stride)]  # fmt: skip
    _, merged = merge_footprints(np.array(tiles, object))
    whole = footprint(transform, 1024 - stride + 256, 1024 - stride + 256, "EPSG:32633")
    assert len(merged) == 1
    assert isinstance(merged[0], shapely.Polygon)
    assert not merged[0].interiors
    assert geodesic_areas(merged)[0] == pytest.approx(geodesic_areas(np.array([whole], object))[0], rel=1e-5)


def test_nothing_merges_to_nothing() -> None:
    group, merged = merge_footprints(np.empty(0, object))
    assert len(group) == len(merged) == 0
