"""Embeddings that others made: what their tables hold is what the store holds, and tiles find their like."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import Geod
from synthetic import contents, unit

import geocmer
from geocmer.doctor.run import examine
from geocmer.errors import FingerprintError, GeocmerError, InputError, ModelError
from geocmer.ingest import embedding_import
from geocmer.ingest.embedding_import import import_embeddings
from geocmer.store import durability, lance
from geocmer.store.store import Store

DIM = 24
NOW = datetime(2024, 6, 1, 10, tzinfo=UTC)


def frame(n: int = 40, dim: int = DIM, **columns: Any) -> geopandas.GeoDataFrame:
    """Major TOM's columns: a square of about 1 km each, and a vector that is not of unit length."""
    boxes = [shapely.box(i * 0.01, 50, i * 0.01 + 0.01, 50.01) for i in range(n)]
    data = {"unique_id": [f"id{i}" for i in range(n)], "embedding": list(3 * unit(n, dim)), "timestamp": [NOW] * n}
    return geopandas.GeoDataFrame({**data, **columns}, geometry=boxes, crs=4326)


def brute(vectors: np.ndarray, query: int) -> list[int]:
    v = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return [int(i) for i in np.argsort(-(v @ v[query]), kind="stable")]


def test_rows_become_tiles_and_find_their_like(tmp_path: Path) -> None:
    table = frame()
    table.to_parquet(tmp_path / "major-tom.parquet")
    tiles = geocmer.open(tmp_path / "store")
    report = tiles.import_embeddings(tmp_path / "major-tom.parquet", model_name="ssl4eo-dino")
    assert (report.total, report.added, report.bad) == (40, 40, 0)
    rows = sorted(contents(tiles.store), key=lambda row: row["row"])
    vectors = np.stack(list(table["embedding"]))
    assert tiles.store.encoder is not None
    stored = np.array([row[tiles.store.encoder.column] for row in rows], np.float32)
    assert np.allclose(stored, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), atol=1e-3)
    assert all(shapely.from_wkb(r["geometry"]).equals(g) for r, g in zip(rows, table.geometry, strict=True))
    assert {row["datetime"] for row in rows} == {NOW}
    side = abs(Geod(ellps="WGS84").geometry_area_perimeter(table.geometry[0])[0]) ** 0.5
    assert rows[0]["gsd"] == pytest.approx(side / 224, rel=1e-5)
    order = brute(vectors, 7)[:5]
    assert [hit.row for hit in tiles.search(like=rows[7]["id"], k=5)] == order
    assert [hit.row for hit in tiles.search(more=[rows[7]["id"]], k=5)] == order
    less = tiles.search(more=[rows[7]["id"]], less=[rows[order[1]]["id"]], k=40)
    assert [hit.row for hit in less][1] != order[1]
    west = tiles.search(like=rows[7]["id"], bbox=(0, 49, 0.095, 51), k=3)
    assert [hit.row for hit in west] == [i for i in brute(vectors, 7) if i < 10][:3]


def test_words_and_new_tiles_need_the_model(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "a.parquet")
    tiles = geocmer.open(tmp_path / "store")
    with pytest.raises(InputError, match="say what made the vectors"):
        tiles.import_embeddings(tmp_path / "a.parquet")
    tiles.import_embeddings(tmp_path / "a.parquet", model_name="clay-v1.5")
    for ask in (lambda: tiles.search("a lake"), tiles.embed):
        with pytest.raises(ModelError, match=r"imported from clay-v1\.5"):
            ask()
    with pytest.raises(FingerprintError):
        tiles.import_embeddings(tmp_path / "a.parquet", model_name="another")
    assert "clay-v1.5" in tiles.info()["model"]


def test_with_a_model_of_this_place_words_are_asked(tmp_path: Path) -> None:
    tiles = geocmer.open(tmp_path / "store", model="bundled")
    texts = ["a lake", "an airport", "a forest", "a town"]
    vectors = tiles.encoder.encode_texts(texts)
    frame(4, embedding=list(vectors)).to_parquet(tmp_path / "a.parquet")
    tiles.import_embeddings(tmp_path / "a.parquet")
    again = geocmer.open(tmp_path / "store")
    assert [again.search(text, k=1, literal=True)[0].row for text in texts] == [0, 1, 2, 3]
    frame(4).to_parquet(tmp_path / "short.parquet")
    with pytest.raises(InputError, match=f"vectors of {DIM} numbers"):
        tiles.import_embeddings(tmp_path / "short.parquet")


@pytest.mark.parametrize("crs", [32633, 3857])
def test_other_crs_come_to_degrees_as_geopandas_brings_them(tmp_path: Path, crs: int) -> None:
    table = frame(5).set_geometry([shapely.box(15 + i * 0.01, 50, 15.01 + i * 0.01, 50.01) for i in range(5)], crs=4326)
    table.to_crs(crs).to_parquet(tmp_path / "a.parquet")
    store = Store.create(tmp_path / "store")
    import_embeddings(tmp_path / "a.parquet", store, "x")
    for row, expected in zip(sorted(contents(store), key=lambda r: r["row"]), table.geometry, strict=True):
        assert shapely.from_wkb(row["geometry"]).symmetric_difference(expected).area < 1e-3 * expected.area


def test_points_become_squares_of_a_width(tmp_path: Path) -> None:
    """Tessera's columns: a number a column, and lon and lat."""
    columns: dict[str, Any] = {f"emb_{i}": unit(3)[:, i % 8].astype("float32") + i for i in range(32)}
    table = pa.table({"lon": [10.0, 179.999, -50.0], "lat": [50.0, 0.0, 91.0], **columns})
    pq.write_table(table, tmp_path / "a.parquet")
    store = Store.create(tmp_path / "store")
    with pytest.raises(InputError, match="--width METRES"):
        import_embeddings(tmp_path / "a.parquet", store, "tessera")
    assert store.unfinished_uris() == {}
    report = import_embeddings(tmp_path / "a.parquet", store, "tessera", width=1000)
    assert report.reasons == ((2, "its point is not on the Earth"),)
    assert store.encoder is not None
    assert store.encoder.dim == 32
    for row in contents(store):
        area, _ = Geod(ellps="WGS84").geometry_area_perimeter(shapely.from_wkb(row["geometry"]))
        assert abs(area) == pytest.approx(1e6, rel=1e-3)
    assert max(row["xmax"] for row in contents(store)) > 180, "across the antimeridian"


def test_bad_rows_are_named_and_left_out(tmp_path: Path) -> None:
    table = frame(6)
    vectors = [np.array(v, np.float32) for v in table["embedding"]]
    vectors[0][3] = np.nan
    vectors[1] = vectors[1][:-1]
    vectors[2] = np.zeros(DIM, np.float32)
    geometries = list(table.geometry)
    geometries[3] = None
    geometries[4] = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    geopandas.GeoDataFrame({"embedding": vectors}, geometry=geometries, crs=4326).to_parquet(tmp_path / "a.parquet")
    store = Store.create(tmp_path / "store")
    report = import_embeddings(tmp_path / "a.parquet", store, "x")
    assert (report.added, report.bad) == (1, 5)
    said = dict(report.reasons)
    for number, words in enumerate(["not finite", f"not {DIM}", "zero", "no geometry", "not valid"]):
        assert words in said[number]
    assert [row["row"] for row in contents(store)] == [5]


def test_the_same_table_again_adds_nothing_and_an_interrupt_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_import, "BATCH_ROWS", 8)
    frame().to_parquet(tmp_path / "a.parquet")
    store = Store.create(tmp_path / "store")

    def fail(done: int, _: int) -> None:
        if done >= 24:
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        import_embeddings(tmp_path / "a.parquet", store, "x", progress=fail)
    assert store.count() == 0
    version = store.snapshot().version
    monkeypatch.setattr(Store, "add_scene", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        import_embeddings(tmp_path / "a.parquet", store, "x")
    monkeypatch.undo()
    assert store.count() == 40
    assert store.snapshot().version == version + 1, "one commit"
    assert store.scenes() == []
    assert import_embeddings(tmp_path / "a.parquet", store, "x").added == 40
    assert store.count() == 40
    assert import_embeddings(tmp_path / "a.parquet", store, "x").added == 0
    kinds = {finding.kind for finding in examine(store).findings}
    assert not kinds & {"duplicate", "vector", "unfinished", "changed scene", "missing scene"}
    (scene,) = store.find_scenes(str(tmp_path / "a.parquet"))
    assert store.remove_scene(scene) == 40


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": [1.0]}, "no column of vectors"),
        ({"a": [[1.0, 2.0]], "b": [[1.0, 2.0]]}, "--vector-column: a, b"),
        ({"embedding": [[1, 2]]}, "no column of vectors"),
        ({"embedding": [[1.0, 2.0]]}, "lon and lat"),
        ({"embedding": [None], "lon": [1.0], "lat": [1.0]}, "no vector"),
    ],
)
def test_what_is_no_table_of_embeddings_is_one_line(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    kinds = {"embedding": pa.list_(pa.float32())} if columns.get("embedding") == [None] else {}
    arrays = {name: pa.array(values, kinds.get(name)) for name, values in columns.items()}
    pq.write_table(pa.table(arrays), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=said) as caught:
        import_embeddings(tmp_path / "a.parquet", Store.create(tmp_path / "store"), "x")
    assert "\n" not in str(caught.value)


def test_an_unknown_crs_is_no_guess(tmp_path: Path) -> None:
    frame(2).set_crs(None, allow_override=True).to_parquet(tmp_path / "a.parquet")
    geo = json.loads(pq.read_schema(tmp_path / "a.parquet").metadata[b"geo"])
    assert geo["columns"]["geometry"]["crs"] is None
    with pytest.raises(GeocmerError, match="is unknown"):
        import_embeddings(tmp_path / "a.parquet", Store.create(tmp_path / "store"), "x")


@pytest.mark.parametrize(
    "geo", ["{", "[]", '{"columns": []}', '{"primary_column": "gone"}', '{"columns": {"geometry": 3}}']
)
def test_metadata_that_is_no_geoparquet_is_one_line(tmp_path: Path, geo: str) -> None:
    frame(2).to_parquet(tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(table.replace_schema_metadata({"geo": geo}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="write it anew"):
        import_embeddings(tmp_path / "a.parquet", Store.create(tmp_path / "store"), "x")


def test_a_write_that_fails_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame().to_parquet(tmp_path / "a.parquet")
    store = Store.create(tmp_path / "store")
    real = durability.torn_files
    monkeypatch.setattr(lance, "torn_files", lambda *a, **k: ["data/x.lance"] if store.count() else real(*a, **k))
    monkeypatch.setattr(lance, "torn_fragments", lambda dataset, _: [f.fragment_id for f in dataset.get_fragments()])
    with pytest.raises(GeocmerError, match="was undone"):
        import_embeddings(tmp_path / "a.parquet", store, "x")
    assert store.count() == 0
