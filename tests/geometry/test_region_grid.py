"""The grid never says of an extent what shapely would not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from geocmer.geometry.region import Region
from geocmer.geometry.region_grid import RegionGrid
from geocmer.store.areas import inside


def _star(seed: int, corners: int, holes: bool) -> shapely.Polygon | shapely.MultiPolygon:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.random(corners)) * 2 * np.pi
    radii = rng.uniform(0.5, 5, corners)
    shape: BaseGeometry = shapely.Polygon(np.column_stack([radii * np.cos(angles), radii * np.sin(angles)])).buffer(0)
    shape = shape.difference(shapely.Point(1, 0).buffer(0.7)) if holes else shape
    shape = shape.union(shapely.box(8, 8, 9, 9)) if seed % 2 else shape
    assert isinstance(shape, shapely.Polygon | shapely.MultiPolygon)
    return shape


@settings(max_examples=examples(25))
@given(st.integers(0, 1000), st.integers(5, 40), st.booleans(), st.sampled_from([0.0, 0.01, 0.3, 4.0]))
def test_what_is_settled_is_so(seed: int, corners: int, holes: bool, size: float) -> None:
    region = _star(seed, corners, holes)
    if region.area == 0:
        return
    rng = np.random.default_rng(seed)
    low = rng.uniform(-7, 10, (3000, 2))
    extents = np.hstack([low, low + size * rng.random((3000, 2))])
    west, _, east, _ = region.bounds  # edges that lie exactly on the grid's
    extents[:50, [0, 2]] = west + (east - west) / 48 * np.arange(50)[:, None] + [0, (east - west) / 48]
    within, apart = RegionGrid(region).classify(extents)
    boxes: Any = shapely.box(*extents.T)
    assert shapely.covers(region, boxes[within]).all()
    assert not shapely.intersects(region, boxes[apart]).any()
    assert not (within & apart).any()
    if size < 0.1:
        assert (within | apart).mean() > 0.5  # else the grid is of no use


@pytest.mark.parametrize("seed", range(6))
def test_a_region_holds_the_same_tiles_with_and_without(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    region = Region(_star(seed, 12, True), "a star")
    rng = np.random.default_rng(seed)
    low = rng.uniform(-6, 10, (2000, 2))
    extents = np.hstack([low, low + 0.5 * rng.random((2000, 2))])
    shapes: Any = shapely.box(*extents.T)
    expected = shapely.intersects(region.geometry, shapes)
    for worth in (1, 10**9):
        monkeypatch.setattr("geocmer.store.areas.GRID_MIN_EXTENTS", worth)
        assert (inside(region, extents, shapes.__getitem__) == expected).all()
