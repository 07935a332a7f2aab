"""The STAC export, read by stac-geoparquet, validated by the published schemas and by pystac, without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from hits import HITS, hit
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
from synthetic import ENCODER, filled, tile, unit

from geocmer.errors import InputError, StoreError
from geocmer.export import write
from geocmer.search.results import Hit
from geocmer.search.vector_search import nearest_tiles
from geocmer.store.snapshot import Snapshot
from geocmer.store.vectors import EncoderInfo

pystac = pytest.importorskip("pystac")
arrow = pytest.importorskip("stac_geoparquet.arrow")
SOURCE = Snapshot("my store", None, 7, ENCODER, {})
SCHEMAS = {
    document["$id"].rstrip("#"): document
    for document in (json.loads(path.read_text()) for path in (Path(__file__).parents[1] / "schemas").glob("*.json"))
}


def problems(document: dict[str, Any]) -> list[str]:
    """What the schemas of STAC and of every extension that the document names have against it."""
    from pystac.validation.local_validator import get_local_schema_cache

    geojson = {uri: schema for uri, schema in get_local_schema_cache().items() if "geojson.org" in uri}
    resources = {**geojson, **SCHEMAS}
    registry = Registry().with_resources(
        (uri, Resource.from_contents(schema, default_specification=DRAFT7)) for uri, schema in resources.items()
    )
    core = f"https://schemas.stacspec.org/v1.0.0/{ {'Feature': 'item', 'Collection': 'collection'}[document['type']] }"
    kind = core.rsplit("/", 1)[1]
    names = [f"{core}-spec/json-schema/{kind}.json", *document["stac_extensions"]]
    return [
        f"{name}: {'/'.join(map(str, error.path))}: {error.message[:300]}"
        for name in names
        for error in Draft7Validator(SCHEMAS[name], registry=registry).iter_errors(document)
    ]


def items(path: Path) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(item)) for item in arrow.stac_table_to_items(pq.read_table(path))]


@pytest.mark.parametrize("thumbnails", [False, True])
def test_items_validate_and_say_what_the_hits_are(tmp_path: Path, thumbnails: bool) -> None:
    hits = [*HITS, hit(9, thumbnail=b"\x89PNG a picture")]
    path = tmp_path / "hits.stac.parquet"
    assert write(hits, path, source=SOURCE, thumbnails=thumbnails) == len(hits)
    found = items(path)
    for item, true in zip(found, hits, strict=True):
        assert problems(item) == []
        again = pystac.Item.from_dict(item)
        assert again.id == true.id
        assert again.datetime == true.datetime
        assert shapely.hausdorff_distance(shapely.geometry.shape(again.geometry), true.geometry) <= 1e-7
        properties = item["properties"]
        assert properties.get("geocmer:score") == (None if true.score is None else round(true.score, 6))
        assert json.loads(properties["geocmer:fractions"]) == true.fractions
        assert ("thumbnail" in item["assets"]) == bool(thumbnails and true.thumbnail)
    assert {item["id"] for item in found} == set(gpd.read_parquet(path)["id"])


def test_the_collection_and_the_model_validate(tmp_path: Path) -> None:
    write(HITS, tmp_path / "hits.stac.parquet", source=SOURCE)
    metadata = json.loads(pq.read_metadata(tmp_path / "hits.stac.parquet").metadata[b"stac-geoparquet"])
    (collection,) = metadata["collections"].values()
    assert problems(collection) == []
    assert (collection["emb:dimensions"], collection["data_type"]) == (ENCODER.dim, "float16")
    assert collection["emb:chip_layout"]["chip_size"] == [64, 64]
    assert pystac.Collection.from_dict(collection).extent.temporal.intervals[0][0] == HITS[0].datetime
    links = {link["rel"]: link["href"] for link in collection["links"]}
    model = json.loads((tmp_path / links["emb:model"]).read_text())
    assert problems(model) == []
    assert pystac.Item.from_dict(model).id == ENCODER.fingerprint


def test_the_schemas_can_fail(tmp_path: Path) -> None:
    write(HITS[:1], tmp_path / "hits.stac.parquet", source=SOURCE)
    (item,) = items(tmp_path / "hits.stac.parquet")
    del item["assets"]["embeddings"]
    assert any("embeddings" in problem for problem in problems(item))


def test_nothing_found_is_a_valid_collection(tmp_path: Path) -> None:
    assert write([], tmp_path / "none.stac.parquet", source=SOURCE) == 0
    metadata = pq.read_metadata(tmp_path / "none.stac.parquet")
    assert metadata.num_rows == 0
    (collection,) = json.loads(metadata.metadata[b"stac-geoparquet"])["collections"].values()
    assert problems(collection) == []


@pytest.mark.parametrize("folder", [".", "out/deep"])
def test_an_answer_knows_its_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.chdir(tmp_path)
    vectors = unit(3)
    store = filled(Path("store"), [tile(n) for n in range(3)], vectors)
    answer = nearest_tiles(store, np.asarray(vectors[1]), k=2)
    place = tmp_path / folder
    place.mkdir(parents=True, exist_ok=True)
    write(answer, Path(folder) / "hits.stac.parquet")
    monkeypatch.chdir("/")
    best = items(place / "hits.stac.parquet")[0]
    assert best["id"] == f"{1:032x}"
    assert (place / best["assets"]["embeddings"]["href"]).is_dir(), "the vectors are where it says, seen from the file"
    metadata = json.loads(pq.read_metadata(place / "hits.stac.parquet").metadata[b"stac-geoparquet"])
    (collection,) = metadata["collections"].values()
    links = {link["rel"]: link["href"] for link in collection["links"]}
    assert (place / links["emb:source-data"]).is_dir()
    assert (place / links["self"]).is_file()


def test_without_a_model_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none is known; embed the store"):
        write(HITS, tmp_path / "hits.stac.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Hit]:
        yield HITS[0]
        raise StoreError("gone")

    with pytest.raises(StoreError, match="gone"):
        write(
            failing(), tmp_path / "hits.stac.parquet", source=Snapshot("s", None, 1, EncoderInfo("a", "m", "", 2), {})
        )
    assert list(tmp_path.iterdir()) == []
