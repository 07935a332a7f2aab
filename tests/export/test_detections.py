"""Detections: polygons and rasters equal what the tiles say one by one, and are read by others than who wrote them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from looker import look, looker
from pyproj import CRS, Geod
from synthetic import contents, noise, raster
from taught import SIDE, THING, box, make_store, scene_row, truth

from geocmer.errors import InputError
from geocmer.export import probability_raster
from geocmer.export.detections import Detections, detection_suffixes
from geocmer.export.probability_raster import RasterGrid, write_probabilities
from geocmer.geometry.footprint import footprint
from geocmer.imagery.stretch import StretchRule
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.search.dot import quantize_queries
from geocmer.search.probability import Calibration, ProbabilityModel
from geocmer.search.tile_probabilities import TileProbabilities, tile_probabilities
from geocmer.store import snapshot
from geocmer.store.store import EncoderInfo, Store, TileRow

PROBABILITY_MODEL = ProbabilityModel(
    Calibration(np.zeros(len(THING)), 40.0, -18.0), quantize_queries(THING[None] / np.linalg.norm(THING)), (False,)
)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileProbabilities:
    store = make_store(tmp_path_factory.mktemp("detections") / "store")
    return tile_probabilities(store.snapshot(), PROBABILITY_MODEL)


def _unlike(some: Any, others: Any) -> float:
    """Square degrees that one has and the other has not."""
    return float(shapely.union_all(some).symmetric_difference(shapely.union_all(others)).area)


def test_polygons_are_the_tiles_that_show_it(tiles: TileProbabilities, tmp_path: Path) -> None:
    found = Detections.of(tiles, "thing", 0.5)
    rows = np.flatnonzero(tiles.values >= 0.5)
    assert found.tiles.sum() == len(rows)
    assert _unlike(found.polygons, tiles.footprints(rows)) < 1e-9
    geod = Geod(ellps="WGS84")
    for polygon, count, mean, peak, area in zip(
        found.polygons, found.tiles, found.mean, found.peak, found.areas, strict=True
    ):
        inside = [row for row in rows if polygon.buffer(1e-6).covers(box(int(row)))]
        assert len(inside) == count
        assert mean == pytest.approx(tiles.values[inside].mean(), rel=1e-6)
        assert peak == tiles.values[inside].max()
        assert area == pytest.approx(
            sum(abs(geod.geometry_area_perimeter(box(int(row)))[0]) for row in inside), rel=1e-6
        )
    assert (np.diff(found.mean) <= 0).all()
    shown = truth(np.arange(SIDE * SIDE))
    assert (tiles.values >= 0.5)[shown].mean() > 0.9, "the constructed store is found"
    for suffix in detection_suffixes():
        assert found.save(tmp_path / f"found{suffix}") == len(found)
    for suffix in (".gpkg", ".geojson", ".fgb"):
        read = geopandas.read_file(tmp_path / f"found{suffix}").sort_values("rank")
        assert read["area_m2"].to_numpy() == pytest.approx(found.areas, abs=0.1)
        assert read.crs.to_epsg() == 4326
        assert _unlike(read.geometry.to_numpy(), found.polygons) < 1e-9
    assert geopandas.read_parquet(tmp_path / "found.parquet")["tiles"].tolist() == found.tiles.tolist()


def test_nothing_found_is_a_file_without_features(tiles: TileProbabilities, tmp_path: Path) -> None:
    nothing = Detections.of(tiles, "thing", 1.0)
    assert nothing.save(tmp_path / "none.gpkg") == 0
    assert len(geopandas.read_file(tmp_path / "none.gpkg")) == 0


def test_a_spreadsheet_runs_no_formula_of_a_title(tiles: TileProbabilities, tmp_path: Path) -> None:
    Detections.of(tiles, "=HYPERLINK(1)", 0.5).save(tmp_path / "found.csv")
    assert ",'=HYPERLINK(1)," in (tmp_path / "found.csv").read_text().splitlines()[1]


def test_what_cannot_be_written_is_told_and_leaves_the_old_file(
    tiles: TileProbabilities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Detections.of(tiles, "thing", 0.5)
    with pytest.raises(InputError, match=r"written as \.csv, .*\.gpkg"):
        found.save(tmp_path / "found.xyz")
    with pytest.raises(InputError, match="does not exist"):
        found.save(tmp_path / "no" / "found.gpkg")
    found.save(tmp_path / "found.gpkg")
    before = (tmp_path / "found.gpkg").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(geopandas.GeoDataFrame, "to_file", full)
    with pytest.raises(InputError, match="No space left"):
        found.save(tmp_path / "found.gpkg")
    assert (tmp_path / "found.gpkg").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.gpkg"]


@pytest.mark.parametrize("stride", [64, 32])
def test_a_pixel_has_the_greatest_probability_of_the_tiles_over_it(
    tmp_path: Path, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "BATCH_ROWS", 7)  # a store is read in many batches
    transform, count = Affine(10, 0, 600_000, 0, -10, 5_500_000), 6

    def outline(row: int, col: int) -> shapely.Polygon | shapely.MultiPolygon:
        return footprint(transform @ Affine.translation(col, row), 64, 64, "EPSG:32632")

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((count * count, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store = Store.create(tmp_path / "store")
    info = EncoderInfo("ab" * 16, "bundled", "", 3)
    store.add_encoder(info)
    places = [(r * stride, c * stride) for r in range(count) for c in range(count)]
    rows = [TileRow(f"{n:032x}", "5c" * 16, r, c, 64, outline(r, c), 10, 1) for n, (r, c) in enumerate(places)]
    keep = rng.random(len(rows)) < 0.6
    store.add_tiles([row for row, kept in zip(rows, keep, strict=True) if kept], vectors[keep])
    probability_model = ProbabilityModel(Calibration(np.zeros(3), 2.0, 0.0), np.array([[1.0, 0, 0]]), (False,))
    tiles = tile_probabilities(store.snapshot(), probability_model)
    scenes = {"5c" * 16: scene_row("5c" * 16, "EPSG:32632", transform, 64, stride, count)}
    write_probabilities(tiles, scenes, tmp_path / "p.tif", "x")
    with rasterio.open(tmp_path / "p.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.crs == rasterio.CRS.from_epsg(32632)
        assert file.res == (10 * stride, 10 * stride)
        p = file.read(1)
        for row in range(file.height):
            for col in range(file.width):
                x, y = file.xy(row, col)
                over = [
                    1 / (1 + np.exp(-2 * vectors[n, 0]))
                    for n, (r, c) in enumerate(places)
                    if keep[n] and 0 < (x - 600_000) / 10 - c < 64 and 0 < (5_500_000 - y) / 10 - r < 64
                ]
                assert np.isnan(p[row, col]) if not over else p[row, col] == pytest.approx(max(over), abs=1e-3)
    # Scenes in several CRS: the same tiles by their footprints, in longitude and latitude.
    mixed: dict[str, Any] = {**scenes, "other": scene_row("other", "EPSG:32633", transform, 64, 64, 1)}
    write_probabilities(tiles, mixed, tmp_path / "mixed.tif", "x")
    with rasterio.open(tmp_path / "mixed.tif") as file:
        assert file.crs.to_epsg() == 4326
        for number in np.flatnonzero(tiles.values > np.quantile(tiles.values, 0.9)):
            middle = tiles.footprints(np.array([number]))[0].centroid
            (value,) = next(file.sample([(middle.x, middle.y)]))
            assert value >= tiles.values[number] - 1e-6


@settings(max_examples=examples(8))
@given(
    count=st.integers(1, 40), side=st.sampled_from([1, 7, 40, 90]), spread=st.sampled_from([50, 1000]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_blocks_hold_what_one_large_array_would(count: int, side: int, spread: int, seed: int) -> None:
    """Tiles over several blocks, several tiles in one, and blocks without any: painted here all at once."""
    rng = np.random.default_rng(seed)
    west, north = rng.integers(0, spread, (2, count)).astype(float)
    sides = rng.integers(1, side + 1, (2, count))
    values = rng.random(count).astype(np.float32)
    bounds = np.column_stack([west, -north - sides[1], west + sides[0], -north])
    grid = RasterGrid.around(bounds, CRS.from_epsg(3857), 1.0)
    want = np.full((grid.height, grid.width), -np.inf, np.float32)
    for (x0, y0, x1, y1), value in zip(bounds - [west.min(), 0, west.min(), 0], values, strict=True):
        rows, columns = slice(int(-y1 - north.min()), int(-y0 - north.min())), slice(int(x0), int(x1))
        want[rows, columns] = np.maximum(want[rows, columns], value)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(probability_raster, "BLOCK_PIXELS", 16)
        probability_raster._write_blocks(Path(folder) / "p.tif", grid, bounds, values, "x")
        with rasterio.open(Path(folder) / "p.tif") as file:
            np.testing.assert_array_equal(file.read(1), np.where(np.isneginf(want), np.nan, want))


def test_a_raster_that_gdal_cannot_copy_leaves_the_old_file(
    tiles: TileProbabilities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(path: Path, *_: object) -> None:
        path.write_bytes(b"what a full disk left of it")

    (tmp_path / "found.tif").write_text("old")
    monkeypatch.setattr(probability_raster, "_write_blocks", cut)
    with pytest.raises(InputError, match=r"cannot write .*found\.tif"):
        write_probabilities(tiles, {}, tmp_path / "found.tif", "thing", 0.01)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("found.tif", "old")]


def test_a_raster_that_cannot_be_is_refused(tiles: TileProbabilities, tmp_path: Path) -> None:
    for resolution in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="resolution"):
            write_probabilities(tiles, {}, tmp_path / "p.tif", "x", resolution)
    with pytest.raises(InputError, match="too large"):
        write_probabilities(tiles, {}, tmp_path / "p.tif", "x", 1e-7)
    assert list(tmp_path.iterdir()) == []


def test_tiles_of_several_sizes_count_no_ground_twice(tmp_path: Path) -> None:
    """Against a mask of pixels that rasterio and numpy make alone: what any tile says of a pixel, each pixel once."""
    array = noise(3, 64, 80)
    array[0, :40, :40] = 255  # more red in one corner, so that tiles of both sizes are over the threshold
    store = Store.create(tmp_path / "store")
    sizes = TileOptions(sizes=(16, 32), stretch=StretchRule.parse("none"))
    ingest(raster(tmp_path / "scene.tif", array), store, looker(), sizes)
    probability_model = ProbabilityModel(
        Calibration(np.zeros(4), 10.0, -6.0), quantize_queries(np.array([[1.0, 0, 0, 0]])), (False,)
    )
    tiles = tile_probabilities(store.snapshot(), probability_model)
    assert len(tiles.values) == 26
    with rasterio.open(tmp_path / "scene.tif") as file:
        pixels, p = file.read().transpose(1, 2, 0), np.zeros((64, 80))
    starts = {16: range(0, 80, 16), 32: (0, 32, 48)}  # the last column of the larger ones is shifted
    for size, columns in starts.items():
        for row in range(0, 64, size):
            for col in columns:
                red = look(pixels[None, row : row + size, col : col + size])[0, 0]
                value = 1 / (1 + np.exp(6 - 10 * red))
                part = p[row : row + size, col : col + size]
                part[...] = np.maximum(part, value)
    least = 0.55
    found = Detections.of(tiles, "red", least)
    redder = [row["size"] for row in contents(store) if row[f"vector_{'ab' * 4}"][0] > 0.6 + np.log(0.55 / 0.45) / 10]
    assert set(redder) == {16, 32}
    shown = p >= least
    assert 0 < shown.sum() < shown.size
    scale = 0.9996**2  # of areas, at the middle of a UTM zone, which is 100 km away
    assert found.areas.sum() * scale == pytest.approx(shown.sum() * 100, rel=1e-3)
    assert shapely.area(found.polygons).sum() == pytest.approx(shapely.union_all(found.polygons).area, rel=1e-6)
    scenes = {row.id: row for row in store.scenes()}
    write_probabilities(tiles, scenes, tmp_path / "p.tif", "red")
    with rasterio.open(tmp_path / "p.tif") as file:
        assert file.res == (160, 160), "the step between the smaller ones"
        assert file.read(1) == pytest.approx(p[8::16, 8::16], abs=2e-3)
        assert (file.read(1) >= least).sum() * 160**2 == pytest.approx(found.areas.sum() * scale, rel=1e-3)
