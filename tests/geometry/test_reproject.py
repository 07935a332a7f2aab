"""A region in another CRS holds the points that lie in it there. Oracle: the points, brought to that CRS by pyproj."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from pyproj import CRS, Geod, Transformer

from geocmer.errors import CRSError
from geocmer.geometry.reproject import polygon_to_wgs84

WORLD = np.column_stack(
    [
        np.random.default_rng(4).uniform(-180, 180, 40_000),
        np.degrees(np.arcsin(np.random.default_rng(5).uniform(-1, 1, 40_000))),
    ]
)
RING = shapely.Point(0, 0).buffer(2e6).difference(shapely.Point(0, 0).buffer(5e5))
assert isinstance(RING, shapely.Polygon)
AREAS: dict[str, tuple[int, shapely.Polygon]] = {
    "UTM 60S across 180": (32760, shapely.box(3e5, 7.9e6, 1.1e6, 8.5e6)),
    "UTM 1S across 180": (32701, shapely.box(-1e5, 7.9e6, 9e5, 8.5e6)),
    "a Mercator about 150 E, across 180": (3832, shapely.box(2.5e6, -2.5e6, 4.5e6, -1.5e6)),
    "around the south pole": (3031, shapely.box(-1e6, -1e6, 1e6, 1e6)),
    "around the north pole, turned": (3413, shapely.Polygon([(0, -2e6), (2e6, 0), (0, 2e6), (-2e6, 0)])),
    "a ring about the south pole": (3031, RING),
    "the pole on a corner": (3031, shapely.box(0, 0, 1.5e6, 1.5e6)),
    "the pole on an edge": (3031, shapely.box(0, -1.1e6, 1.5e6, 1e6)),
    "the pole beside an edge": (3413, shapely.box(1, -1e6, 1.5e6, 1e6)),
    "4000 km wide, Albers": (5070, shapely.box(-2e6, 1.5e6, 2e6, 2e6)),
    "4000 km wide, Lambert equal area": (3035, shapely.box(2.5e6, 1.5e6, 6.5e6, 5e6)),
    "Web Mercator beyond 180": (3857, shapely.box(1.9e7, -1e6, 2.2e7, 6e6)),
    "axes to the west and south": (2053, shapely.box(-2e5, 2.9e6, 2e5, 3.3e6)),
    "degrees of Paris in grads": (4807, shapely.box(-2, 46, 5, 52)),
    "NAD83, more than 180 wide": (4269, shapely.box(-175, 10, 60, 80)),
}


@pytest.mark.parametrize("name", AREAS)
def test_a_region_holds_what_lies_in_it_there(name: str) -> None:
    code, area = AREAS[name]
    crs = CRS.from_epsg(code)
    found = polygon_to_wgs84(area, crs)
    assert found.is_valid
    assert found.bounds[0] >= -180
    assert found.bounds[2] <= 180
    there = Transformer.from_crs(4326, crs, always_xy=True)
    back = Transformer.from_crs(crs, 4326, always_xy=True)
    west, south, east, north = area.bounds
    rng = np.random.default_rng(7)
    around = rng.uniform(
        (1.2 * west - 0.2 * east, 1.2 * south - 0.2 * north),
        (1.2 * east - 0.2 * west, 1.2 * north - 0.2 * south),
        (4000, 2),
    )
    if crs.is_geographic or code == 3857:
        around = around[:0]
    near = np.column_stack(back.transform(*around.T))
    points = np.vstack([WORLD[:10_000] if len(near) else WORLD, near[np.isfinite(near).all(axis=1)]])
    x, y = there.transform(*points.T)
    if code == 3857:  # a plane that goes on beyond 180
        x = np.where(x < 0, x + 2 * np.pi * 6378137, x)
    ok = np.isfinite(x) & np.isfinite(y)
    again = np.column_stack(back.transform(x, y))  # some projections fold the far side onto the near one
    ok &= Geod(ellps="WGS84").inv(*points.T, *np.where(np.isfinite(again), again, 0).T)[2] < 100
    expected = shapely.intersects_xy(area, x, y)
    sure = shapely.distance(area.boundary, shapely.points(x, y)) > np.hypot(east - west, north - south) * 1e-6
    wrong = ok & sure & (shapely.intersects_xy(found, *points.T) != expected)
    assert (ok & expected).sum() > 20
    assert not wrong.any(), points[wrong][:5]


def test_edges_are_where_they_are_in_their_crs() -> None:
    """Every point of a long edge lies on the outline to a tenth of a metre."""
    crs, area = CRS.from_epsg(3035), shapely.box(2.5e6, 1.5e6, 6.5e6, 5e6)
    outline = polygon_to_wgs84(area, crs).boundary
    edge = shapely.line_interpolate_point(area.exterior, np.linspace(0, 1, 997), normalized=True)
    x, y = shapely.get_coordinates(edge).T
    lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)
    assert shapely.distance(outline, shapely.points(lon, lat)).max() < 3e-6


def test_degrees_of_wgs84_are_left_alone() -> None:
    square = shapely.box(10, 50, 11, 51)
    assert polygon_to_wgs84(square, CRS.from_epsg(4326)) is square


def test_a_point_off_the_earth_is_named() -> None:
    with pytest.raises(CRSError, match=r"the point .*e\+30 .* does not lie on the Earth"):
        polygon_to_wgs84(shapely.Polygon([(1e30, 0), (1e30, 1), (2e30, 1)]), CRS.from_epsg(32632))
