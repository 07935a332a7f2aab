from __future__ import annotations

import base64
import csv
import json
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from affine import Affine
from effort import examples
from hits import HITS, MOMENT, RIVER, TABLES, hit, reopen
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import ENCODER, NASTY, footprint

from geocmer.export import COLUMNS, write
from geocmer.export.stream import BATCH_HITS
from geocmer.geometry.footprint import footprint as ground
from geocmer.search.results import Hit
from geocmer.store.snapshot import Snapshot

KNOWN = [
    {"relation": 'near "river"', "id": None, "score": 0.75, "distance_m": 1234.57, "bearing": 0.0},
    {"relation": 'near "river"', "id": None, "score": 0.75, "distance_m": 0.0, "bearing": None},
]
"""What a file says of the partners above."""


def _is_missing(value: object) -> bool:
    return value is None or value == "" or value != value


@pytest.mark.parametrize("suffix", TABLES)
def test_every_format_reopens_with_the_same_places_and_attributes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"hits{suffix}"
    assert write(iter(HITS), path) == len(HITS)
    frame = reopen(path)
    assert [name for name in COLUMNS if name not in frame] == []
    if suffix != ".csv":  # a CSV has no place for it
        assert frame.crs == "EPSG:4326"
    for found, true in zip(frame.to_dict("records"), HITS, strict=True):
        assert shapely.hausdorff_distance(found["geometry"], true.geometry) <= 1e-7
        assert found["geometry"].area == pytest.approx(true.geometry.area, abs=1e-7)
        assert found["id"] == true.id
        assert [int(found[name]) for name in ("rank", "row", "col", "size")] == [true.rank, true.row, true.col, 64]
        assert [float(found[name]) for name in ("gsd", "valid_share")] == [28.1, 0.9], "no digits of float32's making"
        assert _is_missing(found["score"]) if true.score is None else float(found["score"]) == pytest.approx(true.score)
        for name, value in (("category", true.category), ("scene", true.uri)):
            assert _is_missing(found[name]) if not value else found[name] == value
        shares = found["fractions"]
        assert (json.loads(shares) if isinstance(shares, str) else shares) == true.fractions
        partners = found["partners"]
        partners = json.loads(partners) if isinstance(partners, str) else partners
        assert [partner["id"] for partner in partners] == [partner.id for partner in true.partners]
        assert all({**partner, "id": None} in KNOWN for partner in partners)
        time = found["datetime"]
        assert _is_missing(time) if true.datetime is None else gpd.pd.Timestamp(time) == MOMENT


@pytest.mark.parametrize("suffix", TABLES)
def test_nothing_found_is_still_a_valid_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"hits{suffix}"
    assert write([], path) == 0
    if suffix in (".geojsonl", ".geojsons"):  # a sequence of nothing is an empty text (RFC 8142, section 2)
        assert path.read_bytes() == b""
    else:
        assert len(reopen(path)) == 0
        headless = suffix in (".geojson", ".json", ".kml")
        assert headless or set(COLUMNS) <= set(reopen(path).columns), "only GeoJSON and KML have no header"


@pytest.mark.parametrize("suffix", TABLES)
def test_one_hit_without_land_cover_or_date(tmp_path: Path, suffix: str) -> None:
    assert write([HITS[-1]], tmp_path / f"hits{suffix}") == 1
    assert len(reopen(tmp_path / f"hits{suffix}")) == 1


def test_suffixes_may_be_shouted(tmp_path: Path) -> None:
    write(HITS, tmp_path / "HITS.GeoJSON")
    assert len(reopen(tmp_path / "HITS.GeoJSON")) == len(HITS)


# -- the same everywhere ----------------------------------------------------------------------------------------------


@st.composite
def tiles_of_any_crs(draw: st.DrawFn) -> shapely.Geometry:
    """Footprints in UTM at 180 degrees, over and near both poles, and in web mercator at 180 degrees."""
    crs, x, y = draw(
        st.sampled_from(
            [
                ("EPSG:32601", 166_000, 5_000_000),
                ("EPSG:32760", 834_000, 8_000_000),
                ("EPSG:3413", 0, 0),
                ("EPSG:3031", 0, 0),
                ("EPSG:3031", -400_000, 500_000),
                ("EPSG:3857", 20_037_508, 4_000_000),
            ]
        )
    )
    shift = draw(st.tuples(st.integers(-9, 9), st.integers(-9, 9)))
    pixel = draw(st.sampled_from([10, 100]))
    transform = Affine.translation(x + shift[0] * 2000, y + shift[1] * 2000) @ Affine.scale(pixel, -pixel)
    return ground(transform, 224, 224, crs)


@settings(max_examples=examples(4))
@given(
    st.lists(
        st.tuples(tiles_of_any_crs(), st.one_of(st.none(), st.floats(-1, 1)), st.sampled_from(NASTY)),
        min_size=1,
        max_size=5,
    )
)
def test_every_format_tells_the_same(drawn: list[tuple[shapely.Geometry, float | None, str]]) -> None:
    hits = [hit(n, geometry=g, score=score, category=name) for n, (g, score, name) in enumerate(drawn, 1)]
    with tempfile.TemporaryDirectory() as folder:
        for suffix in TABLES:
            path = Path(folder) / f"hits{suffix}"
            write(hits, path)
            frame = reopen(path)
            assert frame["id"].tolist() == [true.id for true in hits]
            found = [None if _is_missing(score) else float(score) for score in frame["score"]]
            assert found == [None if true.score is None else round(true.score, 6) for true in hits]
            wkb = [shapely.normalize(g) for g in frame.geometry]
            expected = [shapely.normalize(shapely.set_precision(true.geometry, 0)) for true in hits]
            for one, other in zip(wkb, expected, strict=True):
                assert shapely.hausdorff_distance(one, other) <= 1e-7
                assert one.area == pytest.approx(other.area, abs=1e-4)
                assert -180 <= one.bounds[0] <= one.bounds[2] <= 180
                assert -90 <= one.bounds[1] <= one.bounds[3] <= 90


@pytest.mark.parametrize("suffix", [*TABLES, ".stac.parquet"])
def test_hits_are_let_go_as_they_are_written(tmp_path: Path, suffix: str) -> None:
    alive: set[int] = set()
    most = 0

    def flowing() -> Iterator[Hit]:
        nonlocal most
        for number in range(3 * BATCH_HITS):
            geometry = shapely.box(number % 100, 40, number % 100 + 0.1, 40.1)
            alive.add(number)
            weakref.finalize(geometry, alive.discard, number)
            most = max(most, len(alive))
            yield replace(HITS[2], id=f"{number:032x}", rank=number, geometry=geometry)

    source = Snapshot("my store", None, 7, ENCODER, {})
    assert write(flowing(), tmp_path / f"hits{suffix}", source=source) == 3 * BATCH_HITS
    assert most <= 2 * BATCH_HITS, "at flat memory: a batch, and the next one that is being made"


@pytest.mark.parametrize("suffix", [suffix for suffix in TABLES if ".shp" not in suffix])
def test_thumbnails_on_request(tmp_path: Path, suffix: str) -> None:
    pictures = {1: b"\xff\xd8\xff a jpeg", 2: b"\x89PNG\r\n\x1a\n a png", 3: None}
    hits = [hit(rank, thumbnail=picture) for rank, picture in pictures.items()]
    write(hits, tmp_path / f"without{suffix}")
    assert "thumbnail" not in reopen(tmp_path / f"without{suffix}")
    write(hits, tmp_path / f"with{suffix}", thumbnails=True)
    for found, true in zip(reopen(tmp_path / f"with{suffix}")["thumbnail"], hits, strict=True):
        if true.thumbnail is None:
            assert _is_missing(found)
        elif isinstance(found, bytes):
            assert found == true.thumbnail
        else:
            kind, _, text = found.partition(";base64,")
            assert kind == ("data:image/jpeg" if true.rank == 1 else "data:image/png")
            assert base64.b64decode(text) == true.thumbnail


# -- partners of a relation -------------------------------------------------------------------------------------------

CROSSING = shapely.MultiLineString([[(179.5, 10), (180, 10.5)], [(-180, 10.5), (-179.5, 11)]])


@pytest.mark.parametrize("suffix", [".geojson", ".json", ".geojsonl", ".geojsons", ".gpkg", ".kml"])
def test_a_line_leads_to_each_partner(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"hits{suffix}"
    hits = [*HITS, hit(9, partners=(replace(RIVER, line=CROSSING),))]
    assert write(hits, path) == len(hits), "lines are no hits"
    if suffix == ".gpkg":
        lines = pyogrio.read_dataframe(path, layer="hits partners")
        assert set(lines.geom_type) == {"MultiLineString"}
    else:
        lines = pyogrio.read_dataframe(path)
        lines = lines[lines.geom_type.str.contains("Line")]
    lines = lines.sort_values("rank", ignore_index=True)
    assert lines["rank"].astype(int).tolist() == [1, 2, 9], "none where the partner is the tile itself"
    assert lines["hit"].tolist() == [f"{rank:032x}" for rank in (1, 2, 9)]
    assert lines["distance_m"].tolist() == [1234.57] * 3
    assert lines["relation"].tolist() == ['near "river"'] * 3
    for found, true in zip(lines.geometry, (RIVER.line, RIVER.line, CROSSING), strict=True):
        assert found.equals(true)


def test_a_geopackage_without_relations_has_no_layer_of_lines(tmp_path: Path) -> None:
    write(HITS[2:], tmp_path / "hits.gpkg")
    assert pyogrio.list_layers(tmp_path / "hits.gpkg")[:, 0].tolist() == ["hits", "layer_styles"]


# -- RFC 7946 ---------------------------------------------------------------------------------------------------------


def test_geojson_follows_rfc_7946(tmp_path: Path) -> None:
    clockwise = shapely.Polygon([(0, 0), (0, 1), (1, 1), (1, 0)], [[(0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4)]])
    thirds = shapely.box(1 / 3, 1 / 3, 2 / 3, 2 / 3)
    hits = [hit(1, geometry=clockwise), hit(2, geometry=thirds), *HITS]
    write(hits, tmp_path / "hits.geojson")
    document = json.loads((tmp_path / "hits.geojson").read_text(encoding="utf-8"))
    assert set(document) == {"type", "features", "bbox"}, "no crs member (section 4)"
    footprints = [found for found in document["features"] if found["geometry"]["type"] != "LineString"]
    for found, true in zip(footprints, hits, strict=True):
        geometry = found["geometry"]
        polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        assert len(polygons) == shapely.get_num_geometries(true.geometry)
        for polygon in polygons:
            for number, ring in enumerate(polygon):
                assert shapely.LinearRing(ring).is_ccw == (number == 0), "right-hand rule (section 3.1.6)"
                assert ring[0] == ring[-1]
                for x, y in ring:
                    assert (round(x, 7), round(y, 7)) == (x, y), "seven decimals at most"
                    assert -180 <= x <= 180
            xs = [x for x, _ in polygon[0]]
            assert max(xs) - min(xs) <= 1, "cut at the antimeridian (section 3.1.9)"
    assert document["features"][0]["properties"]["fractions"] == hits[0].fractions, "nested"


@pytest.mark.parametrize(
    ("wests", "expected"),
    [
        ([10, 12], [10, 50, 12.1, 50.1]),
        ([-5, 5], [-5, 50, 5.1, 50.1]),
        ([179.95], [179.95, 50, -179.95, 50.1]),
        ([179, -179.5], [179, 50, -179.4, 50.1]),
        ([179.95, -170], [179.95, 50, -169.9, 50.1]),
        ([170, 179.95], [170, 50, -179.95, 50.1]),
        ([-180, 0], [-180, 50, 0.1, 50.1]),
    ],
)
def test_the_bbox_is_the_narrower_way_round(tmp_path: Path, wests: list[float], expected: list[float]) -> None:
    write([hit(n, geometry=footprint(west, 50, 0.1, 0.1)) for n, west in enumerate(wests)], tmp_path / "hits.geojson")
    assert json.loads((tmp_path / "hits.geojson").read_text())["bbox"] == pytest.approx(expected)


def test_sequences_are_a_feature_a_line(tmp_path: Path) -> None:
    for suffix, start in ((".geojsonl", ""), (".geojsons", "\x1e")):
        write(HITS, tmp_path / f"hits{suffix}")
        lines = (tmp_path / f"hits{suffix}").read_text(encoding="utf-8").rstrip("\n").split("\n")
        ids = [json.loads(line.removeprefix(start))["id"] for line in lines]
        assert [one for one in ids if "/" not in one] == [true.id for true in HITS]
        assert all(line.startswith(start) for line in lines)


def test_geoparquet_has_a_covering_box(tmp_path: Path) -> None:
    write(HITS, tmp_path / "hits.parquet")
    metadata = json.loads(pq.read_metadata(tmp_path / "hits.parquet").metadata[b"geo"])
    assert metadata["version"] == "1.1.0"
    assert metadata["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert len(gpd.read_parquet(tmp_path / "hits.parquet", bbox=(2, 49, 3.05, 51))) == 2


def test_csv_is_plain(tmp_path: Path) -> None:
    write(HITS, tmp_path / "hits.csv")
    with (tmp_path / "hits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*COLUMNS, "WKT"]
    assert [row["category"] for row in rows] == [true.category or "" for true in HITS]
