"""Scenes from servers in a store: the same rows as from the disk, nothing asked twice, nobody asked unbidden."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looker import looker
from servers import RangeServer, range_server
from synthetic import contents, noise, raster

from geocmer.doctor.run import examine
from geocmer.errors import GeocmerError, InputError
from geocmer.imagery.address import SceneAddress
from geocmer.imagery.scene_source import ItemRecord, SceneSource
from geocmer.ingest.ingest_report import IngestReport
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.reembed import reembed
from geocmer.ingest.scenes import SceneFailure, each_scene
from geocmer.ingest.tile_options import TileOptions
from geocmer.store.store import Store
from geocmer.store.tile_images import TileImageReader

SMALL = TileOptions(size=16)
MAY = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RangeServer]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # nothing is known here
    (tmp_path / "served").mkdir()
    with range_server(tmp_path / "served") as state:
        yield state


@pytest.fixture
def scene(server: RangeServer) -> Path:
    return raster(server.folder / "scene.tif", noise(3, 64, 80))


def without_ids(store: Store) -> list[dict[str, Any]]:
    """What is stored, but for the ids, which say where a scene lies."""
    rows = [{k: v for k, v in row.items() if k not in ("id", "scene_id", "captions")} for row in contents(store)]
    return sorted(rows, key=lambda row: (row["row"], row["col"]))


def all_of(sources: list[SceneSource], store: Store, encoder: Any, **more: Any) -> list[IngestReport | SceneFailure]:
    return list(each_scene(sources, lambda source, _: ingest(source, store, encoder, SMALL), **more))


def test_a_remote_scene_gives_the_rows_of_the_file(tmp_path: Path, server: RangeServer, scene: Path) -> None:
    local, remote = Store.create(tmp_path / "local"), Store.create(tmp_path / "remote")
    ingest(scene, local, looker(), SMALL)
    ingest(f"{server.url}/scene.tif", remote, looker(), SMALL)
    assert without_ids(remote) == without_ids(local)
    (row,) = remote.scenes()
    assert row.uri == f"{server.url}/scene.tif"


def test_a_finished_remote_scene_costs_one_request_and_no_model(
    tmp_path: Path, server: RangeServer, scene: Path
) -> None:
    store, encoder, url = Store.create(tmp_path / "store"), looker(), f"{server.url}/scene.tif"
    ingest(url, store, encoder, SMALL)
    version = store.snapshot().version
    server.requests.clear()
    again = ingest(url, store, encoder, SMALL)
    assert again.added == 0
    assert [asked for *_, asked in server.requests] == ["bytes=0-1023"]
    assert (encoder.seen, store.snapshot().version) == (20, version)
    finer = ingest(url, store, encoder, TileOptions(size=16, stride=8))
    assert finer.added > 0, "another grid is another scene"
    raster(scene, noise(3, 64, 80, seed=1))
    assert ingest(url, store, encoder, SMALL).added == 20, "a replaced file is another scene"


def test_an_interrupted_remote_scene_goes_on(
    tmp_path: Path, server: RangeServer, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geocmer.ingest import writer

    monkeypatch.setattr(writer, "BATCH_TILES", 4)
    store, encoder, url = Store.create(tmp_path / "store"), looker(), f"{server.url}/scene.tif"

    def stop(done: int, _: int) -> None:
        if done == 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(url, store, encoder, SMALL, on_window=stop)
    kept = store.count()
    assert 0 < kept < 20
    assert store.unfinished_uris().popitem()[1] == url
    assert ingest(url, store, encoder, SMALL).added == 20 - kept
    whole = Store.create(tmp_path / "whole")
    ingest(url, whole, looker(), SMALL)
    assert contents(store) == contents(whole)


def test_what_a_stac_item_says_is_kept(tmp_path: Path, server: RangeServer, scene: Path) -> None:
    store = Store.create(tmp_path / "store")
    source = SceneSource(SceneAddress.of(f"{server.url}/scene.tif"), ItemRecord("the STAC item x", 7.5), MAY)
    report = ingest(source, store, looker(), SMALL)
    assert "7.5 % under clouds, from the STAC item x" in report.notes
    (row,) = Store.open(tmp_path / "store").scenes()
    assert row.item == ItemRecord("the STAC item x", 7.5)
    assert row.datetime == MAY
    assert {r["datetime"] for r in contents(store)} == {MAY}
    given = datetime(2020, 1, 1, tzinfo=UTC)
    other = Store.create(tmp_path / "other")
    ingest(source, other, None, TileOptions(size=16, datetime=given))
    assert other.scenes()[0].datetime == given, "the user's own word counts first"


def test_a_store_made_before_items_takes_them(tmp_path: Path, scene: Path) -> None:
    store = Store.create(tmp_path / "store")
    ingest(scene, store, None, SMALL)
    store._newest("scenes").drop_columns(["item"])
    old = Store.open(tmp_path / "store")
    assert [row.item for row in old.scenes()] == [None]
    source = SceneSource(SceneAddress.of(raster(tmp_path / "b.tif", noise(3, 32, 32, seed=3))), ItemRecord("y", 1.0))
    ingest(source, old, None, SMALL)
    assert [row.item for row in old.scenes()] == [None, ItemRecord("y", 1.0)]


def test_a_bad_scene_leaves_the_others_alone(tmp_path: Path, server: RangeServer, scene: Path) -> None:
    store, encoder = Store.create(tmp_path / "store"), looker()
    raster(server.folder / "other.tif", noise(3, 32, 32, seed=4))
    (server.folder / "bad.tif").write_text("no raster")
    urls = [f"{server.url}/{name}.tif" for name in ("none", "scene", "bad", "other")]
    sources = [SceneSource(SceneAddress.of(url)) for url in urls]
    results = all_of(sources, store, encoder)
    assert [type(r) for r in results] == [SceneFailure, IngestReport, SceneFailure, IngestReport]
    assert "does not exist" in str(results[0])
    assert "no raster" in str(results[2])
    assert encoder.seen == 24
    all_of(sources, store, encoder)
    assert encoder.seen == 24, "finished scenes cost no model call"
    with pytest.raises(InputError, match="does not exist"):
        all_of(sources, store, encoder, fail_fast=True)
    with pytest.raises(InputError, match="none of the 2 scenes"):
        all_of([sources[0], sources[2]], store, encoder)


def test_a_scene_written_to_while_it_is_read_is_not_kept(tmp_path: Path, server: RangeServer, scene: Path) -> None:
    local = raster(tmp_path / "local.tif", noise(3, 64, 80))
    for path in (local, f"{server.url}/scene.tif"):
        store = Store.create(tmp_path / f"store {len(str(path))}")

        def replace(done: int, total: int, file: Path = local if path == local else scene) -> None:
            if done == total:
                raster(file, noise(3, 64, 80, seed=9))

        with pytest.raises(InputError, match="changed while it was read"):
            ingest(path, store, looker(), SMALL, on_window=replace)
        assert (store.count(), store.scenes(), store.unfinished_uris()) == (0, [], {})
        assert ingest(path, store, looker(), SMALL).added == 20


def test_tiles_are_read_and_embedded_again_from_the_server(tmp_path: Path, server: RangeServer, scene: Path) -> None:
    store = Store.create(tmp_path / "store")
    ingest(f"{server.url}/scene.tif", store, looker(), SMALL)
    with TileImageReader(store) as images:
        (row,) = store.scenes()
        local = Store.create(tmp_path / "local")
        ingest(scene, local, None, SMALL)
        with TileImageReader(local) as from_disk:
            expected = from_disk.pixels(local.scenes()[0].id, 16, 32)
        assert np.array_equal(images.pixels(row.id, 16, 32), expected)
    assert reembed(store, looker("cd" * 16)) == 20
    assert not [f for f in examine(store).findings if "scene" in f.kind]
    raster(scene, noise(3, 64, 80, seed=1))
    assert [f.kind for f in examine(store).findings if "scene" in f.kind] == ["changed scene"]
    with pytest.raises(InputError, match="has changed"):
        reembed(store, looker("ef" * 16))
    scene.unlink()
    assert [f.kind for f in examine(store).findings if "scene" in f.kind] == ["unreadable scene"]
    (found,) = store.find_scenes(f"{server.url}/scene.tif")
    assert store.remove_scene(found) == 20


def test_a_foreign_store_makes_nobody_be_asked(
    tmp_path: Path, server: RangeServer, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.create(tmp_path / "store")
    ingest(f"{server.url}/scene.tif", store, looker(), SMALL)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another user"))
    server.requests.clear()
    with pytest.raises(GeocmerError, match=f"geocmer tile {server.url}/scene.tif"):
        reembed(store, looker("cd" * 16))
    report = examine(store)
    assert not [f for f in report.findings if "scene" in f.kind]
    assert any(server.url in note for note in report.notes)
    with TileImageReader(store) as images, pytest.raises(InputError, match="was not used here before"):
        images.pixels(store.scenes()[0].id, 0, 0)
    assert server.requests == []
    ingest(f"{server.url}/scene.tif", store, looker(), SMALL)  # the user's own word
    assert reembed(store, looker("cd" * 16)) == 20


def test_the_command_line_takes_them_all(
    tmp_path: Path,
    server: RangeServer,
    scene: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import sys

    from geocmer_cli.main import main

    item: dict[str, Any] = {
        "type": "Feature", "stac_version": "1.0.0", "id": "x", "geometry": None, "links": [], "stac_extensions": [],
        "properties": {"datetime": "2024-05-01T00:00:00Z", "eo:cloud_cover": 4},
        "assets": {"visual": {"href": "scene.tif"}},
    }  # fmt: skip
    (server.folder / "x.json").write_text(json.dumps(item))
    (server.folder / "list.txt").write_text(f"{server.url}/x.json\n{server.url}/none.tif\n")
    arguments = ["tile", f"{server.url}/list.txt", "--no-embed", "--size", "16", "--store", str(tmp_path / "store")]
    monkeypatch.setattr(sys, "argv", ["geocmer", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr().err
    assert stop.value.code == 1
    assert "20 tiles added" in said
    assert "4 % under clouds, from the STAC item x" in said
    assert "1 of 2 scenes were left out" in said
    assert Store.open(tmp_path / "store").count() == 20
