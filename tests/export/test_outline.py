"""Outlines for a screen, against shapely: the same areas, whole across the antimeridian."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from shapely import affinity
from synthetic import footprint

from geocmer.export.outline import outlines
from geocmer.geometry.footprint import footprint as ground


@pytest.mark.parametrize("beyond_180", [False, True])
def test_an_outline_covers_what_its_footprint_does(beyond_180: bool) -> None:
    utm = ground(Affine(10, 2, 500_000, 1, -10, 5_000_000), 640, 640, "EPSG:32633")
    across = footprint(179.95, -17, 0.1, 0.1, turn=20)
    west = footprint(-179.5, 10, 0.2, 0.1)
    shapes = np.array([utm, across, west], dtype=object)
    found = outlines(shapes, beyond_180=beyond_180)
    whole = affinity.rotate(shapely.box(179.95, -17, 180.05, -16.9), 20)
    expected = [utm, whole, affinity.translate(west, 360) if beyond_180 else west]
    for rings, true in zip(found, expected, strict=True):
        assert len(rings) == 1
        assert len(rings[0]) <= 12, "few points"
        assert shapely.hausdorff_distance(shapely.Polygon(rings[0]), true) < np.sqrt(true.area) / 400
