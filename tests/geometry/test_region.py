"""Footprints and regions against pyproj and shapely used directly."""

from __future__ import annotations

import json
import math
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
import shapely.ops
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from shapely.geometry.base import BaseGeometry

from geocmer.errors import CRSError, GeocmerError, InputError
from geocmer.geometry.bbox import BBox
from geocmer.geometry.extent import extent
from geocmer.geometry.footprint import footprint
from geocmer.geometry.region import Region

LON, LAT = st.floats(-180, 180), st.floats(-90, 90)
SQUARE = "POLYGON((10 50, 11 50, 11 51, 10 51, 10 50))"


def to_wgs84(crs: str, x: float, y: float) -> tuple[float, float]:
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)


def geodesic(a: shapely.Point, b: shapely.Point) -> float:
    return float(Geod(ellps="WGS84").inv(a.x, a.y, b.x, b.y)[2])


def covers(outline: BaseGeometry, lon: float, lat: float) -> bool:
    return bool(outline.buffer(1e-7).covers(shapely.Point(lon, lat)))


@given(LON, LAT, LON, LAT, LON, LAT)
def test_a_box_holds_the_points_between_its_sides(
    west: float, south: float, east: float, north: float, lon: float, lat: float
) -> None:
    if south > north:
        south, north = north, south
    area = BBox(west, south, east, north).to_shapely()
    across = west <= lon <= east if west <= east else lon >= west or lon <= east
    assert shapely.intersects(area, shapely.Point(lon, lat)) == (across and south <= lat <= north)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2,3", "four numbers"),
        ("1,2,3,x", "four numbers"),
        ("1,2,3,nan", "finite"),
        ("1,2,inf,4", "finite"),
        ("0,0,181,1", "180"),
        ("-181,0,0,1", "180"),
        ("0,-91,1,0", "90"),
        ("0,2,1,1", "south > north"),
    ],
)
def test_a_wrong_box_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        BBox.parse(text)
    assert "\n" not in str(caught.value)


def test_a_box_across_the_antimeridian_has_two_parts() -> None:
    box = BBox.parse("170, -10, -170, 10")
    assert box.parts() == (BBox(170, -10, 180, 10), BBox(-180, -10, -170, 10))
    assert box.to_shapely().area == pytest.approx(400)
    assert extent(box.to_shapely()) == (170, -10, 190, 10)
    assert Region.from_bbox(box).boxes() == box.parts()


@pytest.mark.parametrize(
    ("crs", "x", "y", "side"),
    [
        ("EPSG:32633", 400_000, 5_600_000, 10_000),  # UTM, north
        ("EPSG:32733", 600_000, 7_000_000, 10_000),  # UTM, south
        ("EPSG:3358", 629_980, 228_527, 5_000),  # Lambert
        ("EPSG:4326", 12, 47, 0.5),
        ("EPSG:3031", 1_000_000, 500_000, 20_000),  # polar stereographic, off the pole
    ],
)
@pytest.mark.parametrize("turn", [0, 30])
def test_a_footprint_has_the_corners_and_edges_that_pyproj_gives(
    crs: str, x: float, y: float, side: float, turn: float
) -> None:
    pixel = side / 100
    transform = Affine.translation(x, y) @ Affine.rotation(turn) @ Affine.scale(pixel, -pixel)
    outline = footprint(transform, 100, 60, crs)
    assert isinstance(outline, shapely.Polygon)
    cos, sin = math.cos(math.radians(turn)) * pixel, math.sin(math.radians(turn)) * pixel
    edge = [(0, 0), (100, 0), (100, 60), (0, 60), (50, 0), (0, 30), (37, 60)]
    for column, row in edge:  # the affine by hand
        point = shapely.Point(to_wgs84(crs, x + cos * column + sin * row, y + sin * column - cos * row))
        near, _ = shapely.ops.nearest_points(outline.exterior, point)
        assert geodesic(near, point) < 0.01 * pixel
    assert outline.exterior.is_ccw
    assert covers(outline, *to_wgs84(crs, x + cos * 50 + sin * 30, y + sin * 50 - cos * 30))


@pytest.mark.parametrize(("crs", "pole"), [("EPSG:3413", 90), ("EPSG:3031", -90)])
def test_a_footprint_over_a_pole_is_closed_over_it(crs: str, pole: int) -> None:
    outline = footprint(Affine(10_000, 0, -500_000, 0, -10_000, 500_000), 100, 100, crs)
    assert outline.is_valid
    assert outline.bounds[0] == -180
    assert outline.bounds[2] == 180
    for lon in range(-180, 181, 30):
        assert covers(outline, lon, pole)
        assert covers(outline, lon, pole - math.copysign(4, pole))  # 4 degrees are 445 km, the half side is 500 km
        assert not covers(outline, lon, pole - math.copysign(8, pole))


@given(
    st.sampled_from(["EPSG:3413", "EPSG:3031", "EPSG:32660", "EPSG:32760"]),
    st.sampled_from([-64, -32, -16, 0, 16, 90, -1.5, -30.4, -63.6]) | st.integers(-200, 200),
    st.sampled_from([64, 32, 16, 0, -16, -90, 0.5, 31.6, 0.4]) | st.integers(-200, 200),
    st.sampled_from([0, 30, 90, 211]),
    st.integers(0, 2**32),
)
def test_a_footprint_holds_its_pixels_and_no_others(crs: str, x: float, y: float, turn: int, seed: int) -> None:
    """Near poles and the antimeridian, the pole on or beside an edge included: random pixels, placed by pyproj.

    Edges are straight between their points, which leaves up to a quarter of a pixel.
    """
    pixel = 10_000
    origin = (x * pixel, y * pixel) if crs in ("EPSG:3413", "EPSG:3031") else (700_000 + x * 500, 1e6 + y * pixel)
    transform = Affine.translation(*origin) @ Affine.rotation(turn) @ Affine.scale(pixel, -pixel)
    outline = footprint(transform, 64, 32, crs)
    assert outline.is_valid
    assert all(ring.is_ccw for ring in (part.exterior for part in shapely.get_parts(outline)))
    columns, rows = np.random.default_rng(seed).uniform(-0.5, 1.5, (2, 300)) * np.array([[64], [32]])
    inside = (columns > 0.3) & (columns < 63.7) & (rows > 0.3) & (rows < 31.7)
    outside = (columns < -0.3) | (columns > 64.3) | (rows < -0.3) | (rows > 32.3)
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(*(transform @ (columns, rows)))
    found = shapely.intersects_xy(outline, (lon + 180) % 360 - 180, lat)
    assert not (inside & ~found).any()
    assert not (outside & found).any()


def test_a_footprint_with_the_pole_just_inside_an_edge_holds_its_pixels() -> None:
    """A map of a hemisphere, whose edge passes 22 km from the pole: its corner lies beyond it, seen from the pole."""
    crs = "+proj=aeqd +lat_0=49 +lon_0=2 +datum=WGS84"
    transform = Affine(42_323, 0, -9_906_393, 0, -42_323, 4_582_094)
    outline = footprint(transform, 467, 331, crs)
    assert outline.is_valid
    columns, rows = np.random.default_rng(0).uniform(-0.05, 1.05, (2, 2000)) * np.array([[467], [331]])
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(*(transform @ (columns, rows)))
    found = shapely.intersects_xy(outline, lon, lat)
    inside = (columns > 9) & (columns < 458) & (rows > 9) & (rows < 322)
    outside = (columns < -9) | (columns > 476) | (rows < -9) | (rows > 340)
    assert found[inside].all()
    assert not found[outside].any()


def test_utm_across_180_is_cut_there() -> None:
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32760", always_xy=True).transform(179.9, -17)
    outline = footprint(Affine(100, 0, x, 0, -100, y), 400, 300, "EPSG:32760")
    assert outline.geom_type == "MultiPolygon"
    assert outline.is_valid
    xmin, ymin, xmax, ymax = extent(outline)
    lon, lat = to_wgs84("EPSG:32760", x + 40_000, y - 30_000)
    assert xmin == pytest.approx(179.9, abs=0.01)
    assert xmax == pytest.approx(lon + 360, abs=0.01)
    assert (ymin, ymax) == pytest.approx((lat, -17), abs=0.01)
    area = abs(Geod(ellps="WGS84").geometry_area_perimeter(outline)[0])
    assert area == pytest.approx(40_000 * 30_000, rel=0.01)
    for dx, dy in ((1, 1), (200, 150), (399, 299)):
        assert covers(outline, *to_wgs84("EPSG:32760", x + dx * 100, y - dy * 100))


def test_web_mercator_beyond_180_is_wrapped() -> None:
    half = math.pi * 6378137
    outline = footprint(Affine(1000, 0, half - 50_000, 0, -1000, 100_000), 100, 100, "EPSG:3857")
    assert extent(outline) == pytest.approx((180 - 50 / 111.3195, 0, 180 + 50 / 111.3195, outline.bounds[3]), abs=1e-4)
    assert outline.bounds[0] == -180
    assert outline.bounds[2] == 180


def test_degrees_beyond_180_are_wrapped() -> None:
    assert extent(footprint(Affine(0.1, 0, 175, 0, -0.1, 5), 100, 50, "EPSG:4326")) == pytest.approx((175, 0, 185, 5))


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_the_whole_world_stays_whole(crs: str) -> None:
    x, y = (180, 80) if crs == "EPSG:4326" else (math.pi * 6378137, 1.9e7)
    outline = footprint(Affine(x / 50, 0, -x, 0, -y / 50, y), 100, 100, crs)
    assert (outline.bounds[0], outline.bounds[2]) == pytest.approx((-180, 180))
    for lon in (-179, -90, 0, 90, 179):
        assert covers(outline, lon, 0)
    assert extent(outline) == pytest.approx(outline.bounds)


def test_a_footprint_off_the_earth_is_refused() -> None:
    with pytest.raises(CRSError, match="does not lie on the Earth"):
        footprint(Affine(1, 0, 1e12, 0, -1, 1e12), 10, 10, "EPSG:32633")


def test_a_region_is_the_same_by_every_way_in(tmp_path: Path) -> None:
    square = shapely.from_wkt(SQUARE)
    geojson = shapely.to_geojson(square)
    feature = json.dumps({"type": "Feature", "properties": {}, "geometry": json.loads(geojson)})
    collection = json.dumps({"type": "FeatureCollection", "features": [json.loads(feature)]})
    dense = shapely.segmentize(square, 0.01)  # as straight in degrees, then in UTM too
    in_utm = geopandas.GeoDataFrame(geometry=[dense], crs=4326).to_crs(32632)
    file = tmp_path / "region.gpkg"
    in_utm.to_file(file)
    ewkt = f"SRID=32632;{in_utm.geometry[0].wkt}"
    for text in (SQUARE, f"SRID=4326;{SQUARE}", f"  {SQUARE.lower()} ", geojson, feature, collection, ewkt, str(file)):
        found = Region.parse(text).geometry
        assert found.symmetric_difference(square).area < 1e-6, text


def test_a_region_beyond_180_is_cut_and_boxed() -> None:
    region = Region.parse("POLYGON((175 0, 185 0, 185 5, 175 5, 175 0))")
    assert region.geometry.equals(BBox(175, 0, -175, 5).to_shapely())
    points = shapely.points([[176, 1], [-176, 1], [0, 1], [180, 1], [-174, 1]])
    assert region.intersects(points).tolist() == [True, True, False, True, False]
    assert {(b.west, b.east) for b in region.boxes()} == {(175, 180), (-180, -175)}


@pytest.mark.parametrize(
    "text",
    [
        "POLYGON((0 0, 1",
        "POLYGON EMPTY",
        "SRID=abc;" + SQUARE,
        "SRID=999999;" + SQUARE,
        "SRID=4326",
        "SRID=32632;POLYGON((1e30 0, 1e30 1, 2e30 1, 1e30 0))",
        "{",
        '{"type": "Point", "coordinates": [1, 2]}',
        '{"type": "FeatureCollection", "features": []}',
        '{"type": "Feature", "geometry": null}',
        '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}',
        '{"type": "Polygon", "coordinates": 3}',
        '{"features": [1]}',
        "no_such_file.gpkg",
        "",
    ],
)
def test_what_is_no_region_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(GeocmerError) as caught:
        Region.parse(text)
    assert "\n" not in str(caught.value)


def test_region_files_that_do_not_serve_are_refused(tmp_path: Path) -> None:
    text, points, bare = tmp_path / "a.txt", tmp_path / "points.gpkg", tmp_path / "bare.gpkg"
    text.write_text("hello")
    geopandas.GeoDataFrame(geometry=[shapely.Point(0, 0)], crs=4326).to_file(points)
    geopandas.GeoDataFrame(geometry=[shapely.from_wkt(SQUARE)]).to_file(bare)
    for file, said in ((text, "cannot be read"), (points, "no polygon"), (bare, "no CRS"), (tmp_path, "cannot be")):
        with pytest.raises(GeocmerError, match=said) as caught:
            Region.from_file(file)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([(170, 0, 180, 1), (-180, 0, -170, 1)], (170, 0, 190, 1)),
        ([(-180, -90, -47, -89), (-47 + 1e-13, -90, 180, -89)], (-180, -90, 180, -89)),
        ([(-180, 0, -179, 1), (-178, 0, 10, 1), (20, 0, 180, 1)], (20, 0, 370, 1)),
        ([(175, 0, 176, 1), (177, 0, 180, 1), (-180, 0, -178, 1)], (175, 0, 182, 1)),
    ],
)
def test_the_extent_leaves_out_the_widest_gap(
    boxes: list[tuple[float, float, float, float]], expected: tuple[float, ...]
) -> None:
    for order in (boxes, boxes[::-1]):
        assert extent(shapely.MultiPolygon([shapely.box(*box) for box in order])) == pytest.approx(expected)
