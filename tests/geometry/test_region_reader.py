"""Regions as people have them: collections, layers, other tools' files, and what is none in one line."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import pytest
import shapely
from shapely.geometry import GeometryCollection, MultiPolygon, Point, box, mapping

from geocmer.errors import GeocmerError, InputError
from geocmer.geometry.region import Region

SQUARE = box(0, 0, 1, 1)
SPIKE = "POLYGON((0 0,1 0,1 1,.5 1,.5 9,.5 1,0 1,0 0))"


def _collection(*geometries: object, **members: object) -> str:
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    return json.dumps({"type": "FeatureCollection", "features": features, **members})


@pytest.mark.parametrize(
    "text",
    [
        GeometryCollection([SQUARE, Point(5, 5)]).wkt,
        GeometryCollection([GeometryCollection([SQUARE]), Point(5, 5)]).wkt,
        GeometryCollection([MultiPolygon([SQUARE])]).wkt,
        json.dumps(mapping(GeometryCollection([SQUARE, Point(5, 5)]))),
        json.dumps({"type": "Feature", "geometry": mapping(SQUARE), "properties": None}),
        _collection(None, mapping(SQUARE)),
        _collection(mapping(Point(3, 3)), mapping(GeometryCollection([SQUARE]))),
        "\ufeff" + _collection(mapping(SQUARE)),
        _collection(mapping(SQUARE), crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}),
        _collection(mapping(SQUARE), crs=None),
        SPIKE,
        "POLYGON Z ((0 0 5, 1 0 5, 1 1 5, 0 1 5, 0 0 5))",
        "srid = 4326; " + SQUARE.wkt,
        "MULTIPOLYGON(((0 0,1 0,1 1,0 1,0 0)),((0 0,1 1,0 0)))",
    ],
)
def test_the_areas_count(text: str) -> None:
    assert Region.parse(text).geometry.equals(SQUARE)


def test_a_named_crs_is_obeyed() -> None:
    from pyproj import Transformer

    metres = Transformer.from_crs(4326, 3857, always_xy=True)
    square = shapely.transform(SQUARE, lambda xy: shapely.get_coordinates(shapely.points(*metres.transform(*xy.T))))
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    for text in (_collection(mapping(square), crs=crs), f"SRID=3857;{square.wkt}"):
        assert Region.parse(text).geometry.symmetric_difference(SQUARE).area < 1e-9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("POLYGON((-500000 0,500000 0,500000 500000,-500000 500000,-500000 0))", "not in degrees; name its CRS"),
        ("POLYGON((707833 3958660,712485 3958660,712485 3964310,707833 3958660))", "not in degrees; name its CRS"),
        ("POLYGON((35 -100,36 -100,36 -99,35 -99,35 -100))", "longitude before latitude"),
        ("POLYGON((0 80,10 80,10 95,0 95,0 80))", "not in degrees"),
        ("POLYGON((-350 0,350 0,350 1,-350 0))", "not in degrees"),
        ("POLYGON((0 0,1e400 0,1 1,0 0))", "not finite"),
        ("POLYGON((0 0,nan 0,1 1,0 0))", "not finite"),
        ("POLYGON((0 0,1 1,0 0))", "no polygon with an area"),
        ("POLYGON((0 0,1 1,2 2,0 0))", "no polygon with an area"),
        ("POINT(0 0)", "no polygon"),
        ("LINESTRING(0 0,1 1)", "no polygon"),
        (_collection(None), "no polygon"),
        (_collection(mapping(SQUARE), crs={"type": "name", "properties": {"name": "EPSG:0"}}), "unknown CRS 'EPSG:0'"),
        (_collection(mapping(SQUARE), crs={"type": "link"}), "not valid GeoJSON"),
        ("SRID=999999;" + SQUARE.wkt, "unknown CRS"),
        ("SRID=;" + SQUARE.wkt, "unknown 'SRID='"),
        ("x" * 100_000, "neither a file nor WKT"),
        ("a/" * 5000, "neither a file nor WKT"),
        ("a\0b", "neither a file nor WKT"),
        ("a\nb", "neither a file nor WKT"),
        ("POLYGON" + "x" * 100_000, "not valid WKT"),
        ("GEOMETRYCOLLECTION(" * 50_000, "nested too deeply"),
        ('{"a":' * 50_000, "nested too deeply"),
        ('{"type": "Polygon", "coordinates": ' + "[" * 50_000, "nested too deeply"),
        ('{"type": "GeometryCollection", "geometries": [' * 3000 + "]}" * 3000, "GeoJSON"),
        ("{}", "not valid GeoJSON"),
        ("{[}", "not valid GeoJSON"),
    ],
)
def test_nonsense_ends_in_one_line(text: str, said: str) -> None:
    with pytest.raises(GeocmerError) as refusal:
        Region.parse(text)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 320


def test_a_ring_wider_than_half_the_earth_is_said() -> None:
    wide = Region.parse("POLYGON((170 -10, -170 -10, -170 10, 170 10, 170 -10))")
    assert "340 degrees wide" in wide.note
    assert "170 to 190" in wide.note
    assert Region.parse("POLYGON((170 -10, 190 -10, 190 10, 170 10, 170 -10))").note == ""
    assert Region.parse(box(-180, -90, 180, 90).wkt).note == ""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regions")

    def write(name: str, layer: str, geometry: object) -> None:
        frame = geopandas.GeoDataFrame(geometry=[geometry], crs=4326)
        frame.to_file(folder / name, layer=layer, driver="GPKG")

    write("points.gpkg", "points", Point(0, 0))
    write("points.gpkg", "aoi", SQUARE)
    write("two.gpkg", "old", box(20, 20, 21, 21))
    write("two.gpkg", "aoi", SQUARE)
    write("a#b.gpkg", "aoi", SQUARE)
    return folder


def test_the_layer_that_is_meant(files: Path) -> None:
    for name in ("points.gpkg", "two.gpkg#layer=aoi", "a#b.gpkg", "a#b.gpkg#layer=aoi"):
        assert Region.parse(f"{files}/{name}").geometry.equals(SQUARE), name
    assert Region.from_file(files / "two.gpkg", "old").geometry.bounds == (20, 20, 21, 21)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two.gpkg", "several layers: 'old', 'aoi'; write FILE#layer=NAME"),
        ("two.gpkg#layer=new", "no layer 'new'"),
        ("two.gpkg#layer=", "FILE#layer=NAME"),
        ("points.gpkg#layer=points", "no polygon"),
        ("none.gpkg#layer=aoi", "neither a file nor WKT"),
    ],
)
def test_a_layer_that_is_not_clear_is_asked_for(files: Path, name: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        Region.parse(f"{files}/{name}")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("states") / "states.gpkg"
    squares = [box(n, 0, n + 1, 1) for n in range(4)]
    columns = {"name": ["Texas", "Ohio", "Texas", None], "code": [1, 2, 3, 4], "share": [0.5, 1.5, 2.5, 3.5]}
    geopandas.GeoDataFrame(columns, geometry=squares, crs=4326).to_file(path, layer="states")
    return path


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        ("name=Texas", {0, 2}),
        ("name=Texas&name=Ohio", {0, 1, 2}),
        ("name=Texas&code=3", {2}),
        ("code=4", {3}),
        ("code=4.0", {3}),
        ("share=1.5", {1}),
        ("layer=states&name=Ohio", {1}),
    ],
)
def test_features_are_chosen_by_a_value(states: Path, selection: str, numbers: set[int]) -> None:
    found = Region.parse(f"{states}#{selection}").geometry
    assert {n for n in range(4) if found.contains(Point(n + 0.5, 0.5))} == numbers


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ("name=texas", "no feature with name 'texas'; there is Texas"),
        ("nome=Texas", "no column 'nome'; it has name, code, share"),
        ("code=x", "no feature with code 'x'; there is 1, 2, 3, 4"),
        ("Texas", "selects nothing; write FILE#layer=NAME or FILE#name=Texas"),
        ("geometry=1", "no column 'geometry'"),
    ],
)
def test_a_value_that_is_not_there_is_named(states: Path, selection: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        Region.parse(f"{states}#{selection}")
    assert said in str(refusal.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", [".geojson", ".geojsonl", ".geojsons", ".gpkg", ".fgb", ".parquet", ".csv", ".shp"])
def test_what_exports_and_other_tools_write_is_read(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"region{suffix}"
    frame = geopandas.GeoDataFrame({"name": ["a", "b"]}, geometry=[SQUARE, None], crs=4326)
    if suffix == ".parquet":
        frame.to_parquet(file)
    elif suffix == ".csv":
        file.write_text(f'name,WKT\na,"{SQUARE.wkt}"\n')
    elif suffix in (".geojsonl", ".geojsons"):
        sign = "\x1e" if suffix == ".geojsons" else ""
        file.write_text(f"{sign}{json.dumps({'type': 'Feature', 'properties': {}, 'geometry': mapping(SQUARE)})}\n")
    else:
        frame.iloc[: 1 if suffix == ".fgb" else 2].to_file(file)
    assert Region.parse(str(file)).geometry.equals(SQUARE)
