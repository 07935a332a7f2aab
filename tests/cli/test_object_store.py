"""A store on an S3 server: every command that reads or writes one, with `--storage-option` and without a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pytest
from commands import lines
from servers import s3_server
from synthetic import ENCODER, contents, noise, raster, unit

from geocmer.collection import Collection
from geocmer.doctor import examine
from geocmer.errors import StoreError
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.search.vector_search import nearest_tiles
from geocmer.store import Store
from geocmer.store.address import parse_storage_options, set_storage_options
from geocmer.store.fragments import FragmentStore, commit_written
from geocmer.store.store import TileKey

ADDRESS = "s3://bucket/a store"


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, str]]:
    pytest.importorskip("moto", reason="moto is not installed")
    with s3_server() as url:
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=url, **keys)
        if "bucket" not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket="bucket")
        yield {
            "endpoint": url, "allow_http": "true", "access_key_id": "key", "secret_access_key": "secret",
            "region": "us-east-1",
        }  # fmt: skip
        set_storage_options({})


def test_a_store_on_a_server_is_as_one_in_a_folder(tmp_path: Path, options: dict[str, str]) -> None:
    first, second = (raster(tmp_path / f"{n}.tif", noise(3, 64, 64, seed=n)) for n in range(2))
    named = [word for key, value in options.items() for word in ("--storage-option", f"{key}={value}")]

    lines("tile", first, "--size", "32", "--no-embed", "--store", ADDRESS, *named)
    assert not list(Path.cwd().glob("s3:*")), "it is no folder"

    local = Store.create(tmp_path / "local")
    store = Collection(ADDRESS, storage_options=options).store
    for path in (first, second):
        ingest(path, local, None, TileOptions(size=32))
    worker = FragmentStore(store.path)
    ingest(second, worker, None, TileOptions(size=32))
    assert commit_written(store, [worker.written]) == [True]
    assert contents(store) == contents(local)

    def encode(keys: list[TileKey]) -> np.ndarray:
        return unit(len(keys), seed=len(keys))

    for each in (store, local):
        assert each.reembed(ENCODER, encode) == 8
    hits, expected = (list(nearest_tiles(each, unit(1)[0], k=3)) for each in (store, local))
    assert [(hit.id, hit.score) for hit in hits] == [(hit.id, hit.score) for hit in expected]
    kinds = {finding.kind for finding in examine(store, fix=True).findings}
    assert kinds <= {"encoder"}

    set_storage_options({})  # as in another process: the command is told all that it needs
    lines("export", "--store", ADDRESS, "-o", tmp_path / "all.geojson", *named)
    assert len(json.loads((tmp_path / "all.geojson").read_text())["features"]) == 8
    set_storage_options({})
    (facts,) = lines("info", "--store", ADDRESS, "--json", *named)
    assert facts["tiles"] == 8


def test_an_option_without_a_value_is_named_and_its_value_is_never_said() -> None:
    assert parse_storage_options(["a=b=c", "d=e"]) == {"a": "b=c", "d": "e"}
    for text in ("region", "=x", "region=", ""):
        with pytest.raises(StoreError, match="KEY=VALUE"):
            parse_storage_options([text])
