from __future__ import annotations

import numpy as np
import pytest
import shapely
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from shapely import affinity
from shapely.geometry.base import BaseGeometry
from synthetic import footprint

from geocmer.geometry.distance import distances
from geocmer.geometry.footprint import footprint as ground
from geocmer.geometry.geodesy import Caps, bearings, geodesic_line, min_distances
from geocmer.store.schema import extents

GEOD = Geod(ellps="WGS84")


@st.composite
def places(draw: st.DrawFn) -> BaseGeometry:
    """Footprints anywhere: turned rectangles, cut ones, and squares of a polar grid, some around the pole."""
    if draw(st.integers(0, 3)):
        width, height = draw(st.tuples(*[st.floats(0.001, 3)] * 2))
        lon, lat = draw(st.tuples(st.floats(-180, 180) | st.floats(176, 180), st.floats(-84, 82)))
        return footprint(lon, lat, width, height, draw(st.floats(0, 90)))
    epsg, (x, y), size = draw(
        st.tuples(st.sampled_from([3413, 3031]), st.tuples(*[st.integers(-500, 500)] * 2), st.integers(1, 100))
    )
    from affine import Affine

    return ground(Affine(1000, 0, x * 1000 - 500, 0, -1000, y * 1000 + 500), size, size, epsg)


def _sampled(geometry: shapely.Geometry) -> np.ndarray:
    """Points of an outline, close together."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    return np.vstack(
        [shapely.get_coordinates(shapely.segmentize(ring, max(ring.length / 120, 1e-9))) for ring in rings]
    )


def _least(a: np.ndarray, b: np.ndarray) -> float:
    """The least geodesic between two sets of points, by asking for all."""
    lon, lat = (np.repeat(a[:, n], len(b)) for n in (0, 1))
    return float(GEOD.inv(lon, lat, np.tile(b[:, 0], len(a)), np.tile(b[:, 1], len(a)))[2].min())


@given(places(), places())
@settings(max_examples=examples(12))
def test_distance_is_the_least_geodesic_between_the_outlines(a: BaseGeometry, b: BaseGeometry) -> None:
    (found,) = distances(np.array([a]), np.array([b]))
    (back,) = distances(np.array([b]), np.array([a]))
    assert found == pytest.approx(back, rel=1e-9 if found < 9e5 else 2e-3, abs=1e-3)
    if a.intersects(b):
        assert found == 0
        return
    points, others = _sampled(a), _sampled(b)
    step = max(np.abs(np.diff(some, axis=0)).max() for some in (points, others)) * 111_700
    sampled = _least(points[:: max(len(points) // 150, 1)], others[:: max(len(others) // 150, 1)])
    assert found <= sampled * (1 + (1e-6 if found < 9e5 else 2e-3)) + 0.2, "no two points are nearer than the nearest"
    assert found >= sampled - 4 * step - 1


@given(places(), places())
@settings(max_examples=examples(25))
def test_the_least_distance_of_circles_is_never_more_than_the_distance(
    a: shapely.Geometry, b: shapely.Geometry
) -> None:
    caps = Caps.around(extents(np.array([a, b])))
    chord = np.linalg.norm(caps.xyz[0] - caps.xyz[1])
    (metres,) = distances(np.array([a]), np.array([b]))
    assert min_distances(np.array([chord]), np.array([caps.radii.sum()]))[0] <= metres + 1e-3
    for cap, geometry in enumerate((a, b)):
        lon, lat = np.radians(shapely.get_coordinates(geometry).T)
        points = np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        assert np.arccos(np.clip(points @ caps.xyz[cap], -1, 1)).max() <= caps.radii[cap]


@given(st.floats(-75, 75), st.floats(-180, 180), st.floats(-300, 300), st.floats(1, 400), st.floats(0, 360))
@settings(max_examples=examples(12))
def test_distance_agrees_with_a_plane_drawn_around_the_place(
    lat: float, lon: float, x: float, gap: float, turn: float
) -> None:
    """Independent oracle: an azimuthal equidistant map around the place, where shapely measures in metres."""
    plane = Transformer.from_crs(4326, f"+proj=aeqd +lat_0={lat} +lon_0={lon} +ellps=WGS84", always_xy=True)

    def on_earth(square: shapely.Geometry) -> shapely.Geometry:
        square = shapely.segmentize(affinity.rotate(square, turn, origin=(0, 0)), 20)
        degrees = shapely.transform(
            square, lambda xy: np.column_stack(plane.transform(xy[:, 0], xy[:, 1], direction="INVERSE"))
        )
        return shapely.transform(
            degrees, lambda xy: np.column_stack([(xy[:, 0] - lon + 180) % 360 - 180 + lon, xy[:, 1]])
        )

    a, b = shapely.box(-640, -100, 0, 540), shapely.box(gap, x, gap + 640, x + 640)
    outlines = np.array([on_earth(a), on_earth(b)])
    (metres,) = distances(outlines[:1], outlines[1:])
    assert metres == pytest.approx(a.distance(b), abs=0.02)


def test_places_across_the_antimeridian_and_the_pole_are_near() -> None:
    east, west = shapely.box(179.9, 10, 180, 10.1), shapely.box(-180, 10, -179.9, 10.1)
    apart = shapely.box(-179.99, 10, -179.9, 10.1)
    degree = GEOD.inv(180, 10.1, -179.99, 10.1)[2]
    assert distances(np.array([east, east]), np.array([west, apart])) == pytest.approx([0, degree], rel=1e-6)
    low, across = shapely.box(0, 89.9, 1, 89.99), shapely.box(180 - 1, 89.9, 180, 89.99)
    assert distances(np.array([low]), np.array([across]))[0] == pytest.approx(
        2 * GEOD.inv(0, 89.99, 0, 90)[2], rel=1e-3
    )


def test_one_footprint_within_another_is_at_no_distance() -> None:
    assert distances(np.array([shapely.box(0, 0, 1, 1)]), np.array([shapely.box(0.4, 0.4, 0.5, 0.5)])) == [0]


def test_bearings_and_lines() -> None:
    start, end = np.array([[179.0, 0.0], [10.0, 50.0]]), np.array([[-179.0, 0.0], [10.0, 49.0]])
    assert bearings(start, end) == pytest.approx([90, 180])
    cut = geodesic_line(start[0], end[0])
    assert isinstance(cut, shapely.MultiLineString)
    assert [part.bounds for part in cut.geoms] == [(179, 0, 180, 0), (-180, 0, -179, 0)]
    assert sum(GEOD.geometry_length(part) for part in cut.geoms) == pytest.approx(GEOD.inv(179, 0, -179, 0)[2])
    assert geodesic_line(start[1], np.array([10.0, 50.01])).geom_type == "LineString"
