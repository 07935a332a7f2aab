"""Land cover under scenes in any CRS: every pixel against pyproj and the layer's own array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin
from shapely.geometry import LineString, box
from synthetic import UTM, noise, raster

from geocmer.errors import LandCoverError
from geocmer.imagery.grid import Grid
from geocmer.imagery.scene import Scene
from geocmer.imagery.tiling import TileReader
from geocmer.landcover.layer import ClassFractions, LandCover
from geocmer.landcover.legend import Legend
from geocmer.landcover.raster import CoverRaster

SIZE = 32
SCENES = {
    "utm": ("EPSG:32633", from_origin(500000, 5000000, 300, 300)),
    "across 180": ("EPSG:32601", from_origin(180000, 7000000, 3000, 3000)),
    "0 to 360": ("EPSG:4326", from_origin(185, 10, 0.05, 0.05)),
    "across Greenwich": ("EPSG:32630", from_origin(690000, 6000000, 3000, 3000)),
    "north pole": ("EPSG:3413", from_origin(-96500, 95200, 3000, 3000)),
    "south pole": ("EPSG:3031", from_origin(-96500, 95200, 3000, 3000)),
    "south-up": ("EPSG:32633", Affine(300, 0, 500000, 0, 300, 5000000)),
    "turned": ("EPSG:32633", UTM @ Affine.rotation(30) @ Affine.scale(30)),
    "albers": ("EPSG:5070", from_origin(0, 2000000, 3000, 3000)),
}
LAYERS = {
    "world": ("EPSG:4326", from_origin(-180, 90, 0.25, 0.25), (720, 1440)),
    "world from 0": ("EPSG:4326", from_origin(0, 90, 0.25, 0.25), (720, 1440)),
    "arctic": ("EPSG:3995", from_origin(-6e6, 6e6, 2e4, 2e4), (600, 600)),
    "mercator": (
        "EPSG:3857",
        from_origin(-20037508.34, 20037508.34, 40075016.68 / 1000, 40075016.68 / 1000),
        (1000, 1000),
    ),
}


def under(scene: Path, cover: LandCover) -> list[ClassFractions]:
    with Scene.open(scene) as opened:
        grid = Grid.over(opened, SIZE)
        cover.fit(grid)
        return [cover.fractions(tile) for tile in TileReader(opened, grid, opened.stretch())]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("place", SCENES)
def test_every_pixel_has_the_code_that_lies_there(tmp_path: Path, place: str, layer: str) -> None:
    crs, transform = SCENES[place]
    layer_crs, layer_transform, shape = LAYERS[layer]
    codes = np.random.default_rng(0).integers(1, 200, shape).astype("uint8")
    cover = CoverRaster(raster(tmp_path / "layer.tif", codes[None], layer_transform, layer_crs), 1)
    to_layer = Transformer.from_crs(crs, layer_crs, always_xy=True)
    with Scene.open(raster(tmp_path / "scene.tif", noise(1, 64, 64), transform, crs)) as scene:
        grid = Grid.over(scene, SIZE)
        if not cover.fit(grid):
            assert (place, layer) in {
                ("0 to 360", "arctic"),
                ("south pole", "arctic"),
                ("south pole", "mercator"),
                ("north pole", "mercator"),
            }
            return
        for tile in TileReader(scene, grid, scene.stretch()):
            found, known = cover.codes(tile)
            side = len(found)
            columns, rows = np.meshgrid((np.arange(side) + 0.5) * SIZE / side, (np.arange(side) + 0.5) * SIZE / side)
            centres: Any = (columns.ravel(), rows.ravel())  # arrays pass where an Affine asks for numbers
            x, y = to_layer.transform(*(tile.transform @ centres))
            if layer_crs == "EPSG:4326":
                x = (np.array(x) - layer_transform.c) % 360 + layer_transform.c
            column, row = ~layer_transform @ (np.array(x), np.array(y))
            with np.errstate(invalid="ignore"):
                inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
                at = np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int)
            clear = np.abs(column - np.round(column)) > 0.1  # not within the error that interpolation may make
            clear &= np.abs(row - np.round(row)) > 0.1
            assert np.array_equal(known.ravel()[clear], inside[clear])
            both = clear & inside
            assert np.array_equal(found.ravel()[both], codes[at][both])


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_beside_a_layer_there_is_no_class(tmp_path: Path, bands: int) -> None:
    layer = raster(tmp_path / "a.tif", np.zeros((bands, 64, 40), "uint8"), photometric="minisblack")
    left, right, *_ = under(raster(tmp_path / "s.tif", noise(3, 64, 64)), LandCover.open(layer, "dynamic_world"))
    assert (dict(left.shares), left.coverage) == ({"Water": 1.0}, 1.0)
    assert (dict(right.shares), right.coverage) == ({"Water": 1.0}, 0.25)


def test_alpha_and_masks_of_a_layer_count(tmp_path: Path) -> None:
    alpha = np.repeat([0, 255], 32).astype("uint8")[:, None].repeat(64, 1)
    colours = (ColorInterp.gray, ColorInterp.alpha)
    paths = [
        raster(tmp_path / "a.tif", np.stack([np.ones_like(alpha), alpha]), colours=colours),
        raster(tmp_path / "m.tif", np.ones((2, 64, 64), "uint8"), mask=alpha > 0, photometric="minisblack"),
    ]
    scene = raster(tmp_path / "s.tif", noise(3, 64, 64))
    for path in paths:
        assert [found.coverage for found in under(scene, LandCover.open(path, "dynamic_world"))] == [0, 0, 1, 1]


# -- polygons --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", SCENES)
def test_polygons_as_large_as_the_world_keep_their_edges(tmp_path: Path, place: str) -> None:
    """Stripes of 1 degree, from pole to pole, against the longitude of every pixel."""
    crs, transform = SCENES[place]
    stripes = [box(west, -90, west + 10, 90) for west in range(-180, 180, 10)]
    names = [f"from {west}" for west in range(-180, 180, 10)]
    geopandas.GeoDataFrame({"k": names}, geometry=stripes, crs=4326).to_file(tmp_path / "w.gpkg")
    cover = LandCover.open(tmp_path / "w.gpkg", class_column="k")
    scene = raster(tmp_path / "scene.tif", noise(1, 64, 64), transform, crs)
    to_degrees = Transformer.from_crs(crs, 4326, always_xy=True)
    columns, rows = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    with Scene.open(scene) as opened:
        grid = Grid.over(opened, SIZE)
        cover.fit(grid)
        for tile in TileReader(opened, grid, opened.stretch()):
            lon = np.array(to_degrees.transform(*(tile.transform @ (columns.ravel(), rows.ravel())))[0])
            west, counts = np.unique(np.floor(((lon + 180) % 360 - 180) / 10) * 10, return_counts=True)
            expected = {f"from {int(w)}": n / SIZE**2 for w, n in zip(west, counts, strict=True)}
            found = cover.fractions(tile)
            assert found.coverage > 0.995
            for name, share in expected.items():
                assert found.shares.get(name, 0) == pytest.approx(share, abs=0.01)


def test_a_border_along_a_parallel_stays_there(tmp_path: Path) -> None:
    areas = [box(-123.3, 49, -95.15, 60), box(-123.3, 40, -95.15, 49)]
    geopandas.GeoDataFrame({"k": ["north", "south"]}, geometry=areas, crs=4326).to_file(tmp_path / "b.gpkg")
    x, y = Transformer.from_crs(4326, 32613, always_xy=True).transform(-106, 49)
    scene = raster(tmp_path / "s.tif", noise(1, 64, 64), from_origin(x - 960, y + 960, 30, 30), "EPSG:32613")
    found = under(scene, LandCover.open(tmp_path / "b.gpkg", class_column="k"))
    assert [max(f.shares, key=f.shares.__getitem__) for f in found] == ["north", "north", "south", "south"]
    assert all(max(f.shares.values()) > 0.95 for f in found)


def test_polygons_go_through_a_legend(tmp_path: Path) -> None:
    areas = [box(599000, 4998000, 600320, 5001000), box(600320, 4998000, 602000, 5001000)]
    for codes in (["312", "512"], [312.0, 512.0], ["Coniferous forest", "Water bodies"]):
        geopandas.GeoDataFrame({"c": codes}, geometry=areas, crs=32633).to_file(tmp_path / "c.gpkg")
        cover = LandCover.open(tmp_path / "c.gpkg", "corine", class_column="c")
        found = under(raster(tmp_path / "s.tif", noise(1, 64, 64)), cover)
        assert [next(iter(f.shares)) for f in found[:2]] == ["Coniferous forest", "Water bodies"]


def test_polygons_of_a_table_with_wkt_and_of_geoparquet(tmp_path: Path) -> None:
    """As regions are read; a class is called like a number that is none."""
    area = box(14, 45, 17, 46)
    (tmp_path / "c.csv").write_text(f'WKT,c\n"{area.wkt}",nan-wood\n"{area.wkt}",Inf\n')
    geopandas.GeoDataFrame({"c": ["Inf"]}, geometry=[area], crs=4326).to_parquet(tmp_path / "c.parquet")
    scene = raster(tmp_path / "s.tif", noise(1, 64, 64))
    for name in ("c.csv", "c.parquet"):
        cover = LandCover.open(tmp_path / name, "corine", class_column="c")
        assert dict(under(scene, cover)[0].shares) == {"Inf": 1.0}
        assert "kept as they are" in " ".join(cover.notes)


def test_lines_blanks_and_layers(tmp_path: Path) -> None:
    area = box(599000, 4998000, 602000, 5001000)
    geopandas.GeoDataFrame({"k": ["road"]}, geometry=[LineString([(0, 0), (1, 1)])], crs=32633).to_file(
        tmp_path / "l.gpkg"
    )
    with pytest.raises(LandCoverError, match="LineString"):
        LandCover.open(tmp_path / "l.gpkg", class_column="k")
    for year in ("2000", "2020"):
        frame = geopandas.GeoDataFrame({"k": [year, " "]}, geometry=[area, area], crs=32633)
        frame.to_file(tmp_path / "two.gpkg", layer=f"lc_{year}")
    scene = raster(tmp_path / "s.tif", noise(1, 64, 64))
    first = LandCover.open(tmp_path / "two.gpkg", class_column="k")
    assert "lc_2020" in " ".join(first.notes)
    assert dict(under(scene, first)[0].shares) == {"2000": 1.0}
    second = LandCover.open(tmp_path / "two.gpkg", class_column="k", layer="lc_2020")
    assert dict(under(scene, second)[0].shares) == {"2020": 1.0}
    with pytest.raises(LandCoverError, match="lc_2000, lc_2020"):
        LandCover.open(tmp_path / "two.gpkg", class_column="k", layer="lc_1990")


# -- legends ---------------------------------------------------------------------------------------------------------


def test_corine_knows_the_codes_of_its_rasters() -> None:
    legend = Legend.load("corine")
    assert legend.label(23) == legend.label(311) == "Broad-leaved forest"
    assert legend.label(44) == legend.label(523)


def test_rows_without_a_label_and_codes_as_text(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("code,label\n1,water\n2\n3.0,town\n")
    assert {c.code: c.label for c in Legend.load(tmp_path / "l.csv").classes.values()} == {1: "water", 3: "town"}
    (tmp_path / "n.json").write_text('{"classes":[{"code":"1","label":"water"}],"nodata":["0"]}')
    assert Legend.load(tmp_path / "n.json").nodata == {0}


@pytest.mark.parametrize(
    ("fields", "row", "expected"),
    [
        ([("from", 0, 3), ("to", 0, 4), ("class", 2, 2)], (1, 3, "water"), {1, 2, 3}),
        ([("from", 1, 3), ("to", 1, 4), ("class", 2, 2)], (0.5, 1.5, "water"), {1}),
        ([("ID", 0, 0), ("Value", 0, 0), ("Name", 2, 2)], (0, 11, "water"), {11}),
        ([("Value", 0, 5), ("Hex", 2, 0), ("Class", 2, 2)], (7, "#0000ff", "water"), {7}),
        ([("VALUE", 0, 0), ("Color", 2, 0), ("Class_Name", 2, 0)], (7, "blue", "water"), {7}),
        ([("Name", 2, 2)], ("water",), {0}),
    ],
)
def test_attribute_tables_are_read_by_declared_usage(
    tmp_path: Path, fields: list[tuple[str, int, int]], row: tuple[object, ...], expected: set[int]
) -> None:
    legend = LandCover.open(with_attribute_table(tmp_path / "r.tif", fields, row)).legend
    assert {code: entry.label for code, entry in legend.classes.items()} == dict.fromkeys(expected, "water")


def test_of_ranges_that_touch_the_first_counts(tmp_path: Path) -> None:
    fields = [("from", 0, 3), ("to", 0, 4), ("class", 2, 2)]
    path = with_attribute_table(tmp_path / "r.tif", fields, (0, 2, "low"), (2, 4, "high"))
    found = {code: entry.label for code, entry in LandCover.open(path).legend.classes.items()}
    assert found == {0: "low", 1: "low", 2: "low", 3: "high", 4: "high"}
    twice = with_attribute_table(tmp_path / "t.tif", [("Value", 0, 5), ("Name", 2, 2)], (1, "low"), (1, "high"))
    with pytest.raises(LandCoverError, match="code 1 is 'low' and 'high'"):
        LandCover.open(twice)


@pytest.mark.parametrize("ends", [(0, 1_000_000), ("nan", 2), (0, "1e999")])
def test_a_table_of_measurements_is_no_legend(tmp_path: Path, ends: tuple[object, object]) -> None:
    path = with_attribute_table(tmp_path / "r.tif", [("from", 1, 3), ("to", 1, 4), ("n", 2, 2)], (*ends, "x"))
    with pytest.raises(LandCoverError, match=r"no legend .*--legend"):
        LandCover.open(path)


def with_attribute_table(path: Path, fields: list[tuple[str, int, int]], *rows: tuple[object, ...]) -> Path:
    raster(path, np.ones((1, 8, 8), "uint8"))
    columns = "".join(
        f'<FieldDefn index="{i}"><Name>{n}</Name><Type>{t}</Type><Usage>{u}</Usage></FieldDefn>'
        for i, (n, t, u) in enumerate(fields)
    )
    cells = [
        f'<Row index="{i}">{"".join(f"<F>{cell}</F>" for cell in row)}</Row>' for i, row in enumerate(rows)
    ]  # fmt: skip
    Path(f"{path}.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable tableType="thematic">'
        f"{columns}{''.join(cells)}</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"
    )
    return path
