"""What lies within a distance, against geodesics from random places to points, and to lines sampled densely."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from pyproj import CRS, Geod, Transformer

from geocmer.errors import GeocmerError
from geocmer.geometry.region import Region

GEOD = Geod(ellps="WGS84")
CASES = {
    "a point": ("POINT(10 50)", 5000.0),
    "points": ("MULTIPOINT(10 50, 10.02 50.01, 11 52)", 5000.0),
    "a point at 180": ("POINT(179.99 -17)", 5000.0),
    "a point at a pole": ("POINT(12 90)", 50_000.0),
    "a point near a pole": ("POINT(12 -89.9)", 50_000.0),
    "a wide circle": ("POINT(10 70)", 1_500_000.0),
    "a line": ("LINESTRING(10 50, 10.4 50.1, 10.3 50.3)", 3000.0),
    "a line across 180": ("LINESTRING(179.7 10, 180.2 10.1)", 3000.0),
    "a long line": ("LINESTRING(0 60, 8 60)", 20_000.0),
    "a closed line": ("LINESTRING(0 0, 1 0, 1 1, 0 1, 0 0)", 4000.0),
    "an area": ("POLYGON((10 50, 10.3 50, 10.2 50.2, 10 50))", 3000.0),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_near_is_in_and_nothing_else(name: str) -> None:
    text, metres = CASES[name]
    region, shape = Region.parse(text, metres).geometry, shapely.from_wkt(text)
    assert region.is_valid
    dense = shapely.get_coordinates(shapely.segmentize(shape, 0.002) if "POINT" not in text else shape)
    rng = np.random.default_rng(3)
    origin = dense[rng.integers(len(dense), size=250)]
    lon, lat, _ = GEOD.fwd(origin[:, 0], origin[:, 1], rng.uniform(-180, 180, 250), metres * rng.uniform(0, 2, 250))
    distance = np.array(
        [
            GEOD.inv(np.full(len(dense), x), np.full(len(dense), y), *dense.T)[2].min()
            for x, y in zip(lon, lat, strict=True)
        ]
    )
    inside = shapely.intersects_xy(shape, lon, lat) if shape.area else np.zeros(250, bool)
    found = shapely.intersects_xy(region, (lon + 180) % 360 - 180, lat)
    slack = metres * 1e-3 + (0 if "POINT" in text else 5)
    assert found[(distance < metres - slack) | inside].all()
    assert not found[(distance > metres + slack) & ~inside].any()
    assert (distance > metres + slack).any()


def test_another_crs_and_a_selected_feature(tmp_path: Path) -> None:
    file, utm = tmp_path / "places.gpkg", CRS.from_epsg(32632)
    points = [shapely.Point(500_000, 5_500_000), shapely.Point(600_000, 5_500_000)]
    geopandas.GeoDataFrame({"name": ["a", "b"]}, geometry=points, crs=utm).to_file(file)
    lon, lat = Transformer.from_crs(utm, 4326, always_xy=True).transform(500_000, 5_500_000)
    region = Region.parse(f"{file}#name=a", 1000.0).geometry
    assert shapely.get_num_geometries(region) == 1
    assert shapely.contains_xy(region, lon, lat)
    assert abs(GEOD.geometry_area_perimeter(region)[0]) == pytest.approx(np.pi * 1e6, rel=1e-3)
    assert shapely.get_num_geometries(Region.parse(str(file), 1000.0).geometry) == 2


@pytest.mark.parametrize(
    ("text", "metres", "said"),
    [("POINT(0 0)", 0.0, "cannot be drawn"), ("POINT(0 0)", 3e6, "2000 km"), ("POINT EMPTY", 1.0, "holds nothing")],
)
def test_what_cannot_be_drawn_is_refused(text: str, metres: float, said: str) -> None:
    with pytest.raises(GeocmerError, match=said):
        Region.parse(text, metres)
