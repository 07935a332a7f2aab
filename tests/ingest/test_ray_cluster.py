"""Tiling with the workers of a Ray cluster: the same store as one process makes, whatever becomes of a worker."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from synthetic import ENCODER, contents, noise, raster, tile, unit

from geocmer.doctor import examine
from geocmer.imagery.scene_list import ListOptions, find_scenes
from geocmer.imagery.scene_source import SceneSource
from geocmer.ingest import ray_cluster
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.plan import IngestPlan
from geocmer.ingest.ray_cluster import EncoderChoice, ingest_on_ray
from geocmer.ingest.scenes import SceneFailure
from geocmer.models.encoder import Encoder
from geocmer.store import Store
from geocmer.store.fragments import FragmentStore, commit_written

SIZE = 32


@pytest.fixture
def plan(tmp_path: Path) -> IngestPlan:
    cover = raster(tmp_path / "cover.tif", noise(1, 200, 200) % 3 + 1)
    (tmp_path / "legend.csv").write_text("code,label\n1,water\n2,forest\n3,road\n")
    return IngestPlan.of(size=SIZE, landcover=cover, legend=tmp_path / "legend.csv")


def scenes(folder: Path, count: int) -> list[SceneSource]:
    for number in range(count):
        raster(folder / f"{number}.tif", noise(3, 96, 96, seed=number))
    (folder / "bad.tif").write_bytes(b"no raster")
    (folder / "copy.tif").write_bytes((folder / "0.tif").read_bytes())
    names = [f"{number}.tif" for number in range(count)] + ["bad.tif", "copy.tif"]
    return find_scenes([str(folder / name) for name in names], ListOptions(None, None, False))


def locally(path: Path, sources: list[SceneSource], plan: IngestPlan, encoder: Encoder | None) -> Store:
    store = Store.open_or_create(path)
    for source in sources:
        if "bad" not in str(source):
            ingest(source, store, encoder, plan.options, land_cover=plan.land_cover, rules=plan.rules)
    return store


def test_a_plan_travels_as_the_names_it_was_made_of(plan: IngestPlan) -> None:
    sent = pickle.loads(pickle.dumps(plan))
    assert sent.land_cover is not None
    assert plan.land_cover is not None
    assert sent.land_cover.hash == plan.land_cover.hash
    assert (sent.options, repr(sent.rules)) == (plan.options, repr(plan.rules))


def test_what_workers_wrote_is_committed_once_whoever_writes_beside(tmp_path: Path, plan: IngestPlan) -> None:
    sources = [source for source in scenes(tmp_path, 2) if "bad" not in str(source)]
    expected = locally(tmp_path / "local", sources, plan, None)
    store = Store.open_or_create(tmp_path / "store")
    workers = [FragmentStore(store.path) for _ in sources]
    for source, worker in zip(sources, workers, strict=True):
        ingest(source, worker, None, plan.options, land_cover=plan.land_cover, rules=plan.rules)
    assert store.count() == 0
    before = store.snapshot().version
    assert commit_written(store, [worker.written for worker in workers]) == [True, True, False], "a copy of the first"
    assert store.snapshot().version == before + 1
    assert contents(store) == contents(expected)
    assert [row.id for row in store.scenes()] == [row.id for row in expected.scenes()]
    assert commit_written(store, [worker.written for worker in workers]) == [False] * 3
    assert contents(store) == contents(expected)


def test_a_worker_adds_vectors_and_leaves_out_what_is_there(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    store.add_encoder(ENCODER)
    store.add_tiles([tile(1)], unit(1))
    worker = FragmentStore(store.path)
    assert worker.add_tiles([tile(1), tile(2), tile(3)], unit(3), ENCODER) == 2
    assert worker.add_tiles([tile(3), tile(4)]) == 1
    commit_written(store, [worker.written])
    there = {record["id"]: record[ENCODER.column] for record in contents(store)}
    assert [there[tile(n).id] is not None for n in (1, 2, 3, 4)] == [True, True, True, False]
    assert not {"torn", "duplicate", "damaged"} & {finding.kind for finding in examine(store).findings}


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two workers on this machine."""
    ray = pytest.importorskip("ray", reason="the extra geocmer[ray] is not installed")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "a worker is killed"])
@pytest.mark.usefixtures("cluster")
def test_a_cluster_makes_the_store_of_one_process(
    tmp_path: Path, plan: IngestPlan, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr(ray_cluster, "GROUP_SCENES", 2)
    sources = scenes(tmp_path, 5)
    choice, encoder = (None, None) if killed else (EncoderChoice("bundled"), Encoder.load(device="cpu"))
    expected = locally(tmp_path / "local", sources, plan, encoder)
    store = Store.open_or_create(tmp_path / "store")
    results = []
    for result in ingest_on_ray(sources, store, plan, choice, "auto"):
        results.append(result)
        if killed and len(results) == 1:
            os.kill(_worker(), signal.SIGKILL)
    (failure,) = [result for result in results if isinstance(result, SceneFailure)]
    assert failure.scene.endswith("bad.tif")
    assert len(results) == len(sources)
    assert contents(store) == contents(expected)
    assert {row.id for row in store.scenes()} == {row.id for row in expected.scenes()}
    assert store.encoder == expected.encoder
    versions = store.snapshot().version
    again = list(ingest_on_ray(sources, store, plan, None, "auto"))
    assert len(again) == len(sources)
    assert store.snapshot().version == versions, "nothing to do makes no version"


def _worker() -> int:
    names = ((process.pid, " ".join(process.cmdline())) for process in psutil.Process().children(recursive=True))
    return next(pid for pid, name in names if name.startswith("ray::SceneWorker"))
