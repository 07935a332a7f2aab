"""Polygons as land cover: the classes at pixel centres, against brute force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from covers import polygons, under
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from synthetic import NASTY, UTM, noise, raster

from geocmer.errors import CRSError
from geocmer.landcover.layer import ClassFractions, LandCover


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(6))
@given(st.integers(0, 999), st.sampled_from([32633, 4326]))
def test_polygons_count_at_pixel_centres_and_the_later_one_wins(tmp_path: Path, seed: int, crs: int) -> None:
    random = np.random.default_rng(seed)
    spots = random.uniform(0, 40, (6, 2))
    shapes = [shapely.Point(UTM @ tuple(spot)).buffer(random.uniform(30, 200)) for spot in spots]
    names = [str(random.choice(NASTY[:5])) for _ in shapes]
    path = tmp_path / f"{seed}.gpkg"
    path.unlink(missing_ok=True)
    geopandas.GeoDataFrame({"what; 'is'": names}, geometry=shapes, crs=32633).to_crs(crs).to_file(path)
    cover = LandCover.open(path, class_column="what; 'is'")
    for tile, found in under(raster(tmp_path / "a.tif", noise(3, 40, 40)), cover, 20):
        at = np.arange(20) + 0.5
        places: Any = tuple(np.meshgrid(at, at))  # arrays pass where an Affine asks for numbers
        xs, ys = tile.transform @ places
        seen = np.full(xs.shape, None, object)
        for shape, name in zip(shapes, names, strict=True):
            seen[shapely.contains_xy(shape, xs, ys)] = name
        known = seen[seen != None]  # noqa: E711 - elementwise
        assert found.coverage == pytest.approx(len(known) / 400, abs=0.01)
        for name in set(names):
            share = (known == name).mean() if len(known) else 0
            assert found.shares.get(name, 0) == pytest.approx(share, abs=0.02 if len(known) > 50 else 0.2)


def test_polygons_without_a_class_or_a_place_are_left_out(tmp_path: Path) -> None:
    square = shapely.box(600_000, 4_999_680, 600_320, 5_000_000)
    path = polygons(tmp_path / "a.gpkg", [square, square, shapely.Polygon()], ["wood", None, "nowhere"])
    cover = LandCover.open(path, class_column="what; 'is'")
    (_, found), *_ = under(raster(tmp_path / "a.tif", noise(3, 32, 32)), cover, 32)
    assert found == ClassFractions({"wood": 1.0}, 1.0)


def test_polygons_within_collections_count(tmp_path: Path) -> None:
    square = shapely.box(600_000, 4_999_840, 600_320, 5_000_000)
    nested = shapely.GeometryCollection([shapely.Point(0, 0), shapely.MultiPolygon([square])])
    path = polygons(tmp_path / "a.gpkg", [nested, shapely.GeometryCollection([shapely.Point(0, 0)])], ["wood", "no"])
    cover = LandCover.open(path, class_column="what; 'is'")
    (_, found), *_ = under(raster(tmp_path / "a.tif", noise(3, 32, 32)), cover, 32)
    assert found == ClassFractions({"wood": 1.0}, 0.5)
    assert "1 shapes are no polygons" in " ".join(cover.notes)


def test_metres_that_pass_for_degrees_are_refused(tmp_path: Path) -> None:
    square = shapely.box(600_000, 4_999_840, 600_320, 5_000_000)
    geopandas.GeoDataFrame({"c": ["wood"]}, geometry=[square], crs=4326).to_file(tmp_path / "a.geojson")
    with pytest.raises(CRSError, match=r"no degrees.*ogr2ogr -a_srs"):
        LandCover.open(tmp_path / "a.geojson", class_column="c")


def test_real_polygons_have_their_classes(shared_data: Path, tmp_path: Path) -> None:
    """CORINE names with commas and accents, in degrees; one pixel class by class against geopandas."""
    path = shared_data / "geo" / "zamora_lulc_vector" / "lulc_1998.geojson"
    frame = geopandas.read_file(path)
    west, _, east, north = frame.total_bounds
    step = (east - west) / 64
    scene = raster(tmp_path / "a.tif", noise(3, 64, 64), Affine(step, 0, west, 0, -step, north), "EPSG:4326")
    names = set(frame["CLASS_NAME"])
    seen = [shares for _, shares in under(scene, LandCover.open(path, class_column="CLASS_NAME"), 32)]
    assert {name for shares in seen for name in shares.shares} <= names
    assert any(len(shares.shares) > 3 for shares in seen)


def test_many_polygons_are_brought_over_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some overlap, some cross the edge of the scene, one is no valid polygon; which comes first does not change."""
    random = np.random.default_rng(0)
    scene = raster(tmp_path / "a.tif", noise(3, 64, 64))
    to_degrees = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    shapes = []
    for x, y, side in zip(
        random.uniform(-9, 73, 40), random.uniform(-9, 73, 40), random.uniform(2, 25, 40), strict=True
    ):
        corners = [UTM @ at for at in ((x, y), (x + side, y), (x + side, y + side), (x, y + side))]
        shapes.append(shapely.Polygon([to_degrees.transform(*corner) for corner in corners]))
    bow = [UTM @ at for at in ((10, 10), (30, 30), (30, 10), (10, 30))]
    shapes.append(shapely.Polygon([to_degrees.transform(*corner) for corner in bow]))
    path = polygons(tmp_path / "many.gpkg", shapes, [f"class {n % 5}" for n in range(len(shapes))], 4326)
    cover = LandCover.open(path, class_column="what; 'is'")
    whole = [found for _, found in under(scene, cover, 16)]
    assert any(len(found.shares) > 1 for found in whole)
    monkeypatch.setattr("geocmer.landcover.vector_layer._CHUNK_POLYGONS", 3)
    assert [found for _, found in under(scene, cover, 16)] == whole
