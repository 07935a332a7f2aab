from __future__ import annotations

import csv
import errno
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from synthetic import NASTY, footprint, tile

from geocmer.errors import InputError, StoreError
from geocmer.export import COLUMNS, FORMATS, write
from geocmer.partner import Partner
from geocmer.search import Hit

MOMENT = datetime(2020, 5, 1, 12, 30, tzinfo=UTC)


def hit(rank: int, **fields: object) -> Hit:
    row = tile(rank)
    values = {
        **{name: getattr(row, name) for name in ("id", "scene_id", "row", "col", "size")},
        "rank": rank,
        "score": 0.5 - rank / 100,
        "geometry": footprint(rank, 50, 0.1, 0.1, turn=10),
        "uri": f"/data/{NASTY[rank % len(NASTY)]}.tif",
        "datetime": MOMENT,
        "gsd": float(np.float32(28.1)),
        "valid_share": float(np.float32(0.9)),
        "category": NASTY[rank % len(NASTY)],
        "fractions": {"water": 0.25, "Überbau \"; '": 0.75},
        "captions": (),
        "thumbnail": None,
    }
    return Hit(**{**values, **fields})


RIVER = Partner(
    relation='near "river"',
    id=f"{99:032x}",
    score=0.75,
    distance_m=1234.567,
    bearing=359.97,
    geometry=footprint(1.2, 50, 0.1, 0.1),
    line=shapely.LineString([(1.05, 50.05), (1.25, 50.05)]),
)
HITS = [
    hit(1, partners=(RIVER,)),
    hit(2, partners=(RIVER, replace(RIVER, id=f"{2:032x}", distance_m=0.0, bearing=None, line=None))),
    *(hit(rank) for rank in range(3, 7)),
    hit(7, geometry=footprint(179.95, -17, 0.1, 0.1)),
    hit(8, category=None, datetime=None, fractions={}, uri=None, score=None),
]

KNOWN = [
    {"relation": 'near "river"', "id": None, "score": 0.75, "distance_m": 1234.57, "bearing": 0.0},
    {"relation": 'near "river"', "id": None, "score": 0.75, "distance_m": 0.0, "bearing": None},
]
"""What a file says of the partners above."""


def reopen(path: Path) -> gpd.GeoDataFrame:
    """What a user's tool sees, in order of rank."""
    frame = gpd.read_parquet(path) if path.suffix == ".parquet" else pyogrio.read_dataframe(path)
    return frame.astype({"rank": int}).sort_values("rank", ignore_index=True) if len(frame) else frame


def _is_missing(value: object) -> bool:
    return value is None or value == "" or value != value


@pytest.mark.parametrize("suffix", FORMATS)
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


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_found_is_still_a_valid_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"hits{suffix}"
    assert write([], path) == 0
    if suffix in (".geojsonl", ".geojsons"):  # a sequence of nothing is an empty text (RFC 8142, section 2)
        assert path.read_bytes() == b""
    else:
        assert len(reopen(path)) == 0
        assert suffix == ".geojson" or set(COLUMNS) <= set(reopen(path).columns), "GeoJSON alone has no header"


@pytest.mark.parametrize("suffix", FORMATS)
def test_one_hit_without_land_cover_or_date(tmp_path: Path, suffix: str) -> None:
    assert write([HITS[-1]], tmp_path / f"hits{suffix}") == 1
    assert len(reopen(tmp_path / f"hits{suffix}")) == 1


def test_suffixes_may_be_shouted(tmp_path: Path) -> None:
    write(HITS, tmp_path / "HITS.GeoJSON")
    assert len(reopen(tmp_path / "HITS.GeoJSON")) == len(HITS)


# -- RFC 7946 ---------------------------------------------------------------------------------------------------------


def test_geojson_follows_rfc_7946(tmp_path: Path) -> None:
    clockwise = shapely.Polygon([(0, 0), (0, 1), (1, 1), (1, 0)], [[(0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4)]])
    thirds = shapely.box(1 / 3, 1 / 3, 2 / 3, 2 / 3)
    hits = [hit(1, geometry=clockwise), hit(2, geometry=thirds), *HITS]
    write(hits, tmp_path / "hits.geojson")
    document = json.loads((tmp_path / "hits.geojson").read_text(encoding="utf-8"))
    assert set(document) == {"type", "features", "bbox"}, "no crs member (section 4)"
    for found, true in zip(document["features"], hits, strict=True):
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
        assert [json.loads(line.removeprefix(start))["id"] for line in lines] == [true.id for true in HITS]
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


# -- whole or not at all ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("there", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path: Path, suffix: str, there: bool) -> None:
    path = tmp_path / f"hits{suffix}"
    if there:
        path.write_text("precious")

    def failing() -> Iterator[Hit]:
        yield from HITS[:3]
        raise StoreError("the disk with the store was pulled out")

    with pytest.raises(StoreError, match="pulled out"):
        write(failing(), path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == ({path.name: "precious"} if there else {})


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    def full() -> Iterator[Hit]:
        yield HITS[0]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"cannot write .*hits.geojson: No space left on device; ") as refusal:
        write(full(), tmp_path / "hits.geojson")
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hits.shp", "suffix '.shp'; use one of .geojson, .geojsonl, .geojsons, .gpkg, .fgb, .parquet, .csv"),
        ("hits", "suffix ''; use one of"),
        ("absent/hits.csv", "does not exist; make it"),
        ("folder.csv", "is a folder"),
    ],
)
def test_where_it_cannot_be_written(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError) as refusal:
        write(HITS, tmp_path / name)
    assert says in str(refusal.value)


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    for hits in (HITS, HITS[:2], [replace(HITS[0], rank=9)]):
        write(hits, tmp_path / "hits.gpkg")
        assert reopen(tmp_path / "hits.gpkg")["rank"].tolist() == [true.rank for true in hits]
