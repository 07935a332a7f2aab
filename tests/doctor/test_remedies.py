"""What the doctor cannot make again it leaves alone, and names the command that does."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from commands import run
from store_files import Fault, data_of, files_of, ids_of
from synthetic import ENCODER, OTHER, contents, noise, raster, tile, unit

from geocmer.doctor.run import examine
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.store.store import Store


def _half_embedded(store: Store) -> None:
    scene = store.scenes()[0].id
    store.set_vectors(ENCODER, [r["id"] for r in contents(store) if r["scene_id"] == scene][:4], None)


def _not_tiled_to_its_end(store: Store) -> None:
    store.add_tiles([tile(1), tile(2, scene_id="abcd" * 8)], unit(2))


def _on_the_way(store: Store) -> None:
    store.add_encoder(OTHER)
    store.set_vectors(OTHER, ids_of(store)[:5], unit(5, OTHER.dim))


def _scene_moved(store: Store) -> None:
    path = Path(store.scenes()[1].uri)
    path.rename(path.with_name("moved.tif"))


def _scene_changed(store: Store) -> None:
    path = Path(store.scenes()[1].uri)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _damaged(store: Store) -> None:
    for file in data_of(store).iterdir():
        file.write_bytes(file.read_bytes()[:100])


def _lost(store: Store) -> None:
    shutil.rmtree(data_of(store))


@pytest.mark.parametrize(
    ("fault", "kind", "count", "remedy"),
    [
        (_half_embedded, "unembedded", 4, "geocmer embed --store "),
        (_not_tiled_to_its_end, "unfinished", 2, "geocmer tile SCENE --size 64 --store "),
        (_on_the_way, "re-embedding", 7, "geocmer embed --model fake-2 --adapter '/an adapter' --store "),
        (
            _scene_moved,
            "missing scene",
            1,
            "geocmer tile NEW_PLACE --size 32 --bands 1,2,3 --min-valid 0.5 --store ",
        ),
        (_scene_changed, "changed scene", 1, "put the old file back"),
        (_damaged, "torn", 1, "backup"),
        (_lost, "torn", 1, "backup"),
    ],
)
def test_what_takes_a_command_is_named_and_left_alone(
    store: Store, fault: Fault, kind: str, count: int, remedy: str
) -> None:
    fault(store)
    before = files_of(store)
    for fix in (False, True):
        report = examine(Store.open(store.path), fix)
        (finding,) = report.findings
        assert (finding.kind, finding.count, finding.fixed, report.sound) == (kind, count, False, False)
        assert remedy in finding.remedy
        assert finding.example
        assert "\n" not in "".join((finding.what, finding.example, finding.remedy))
    if fault not in (_on_the_way, _half_embedded):
        assert files_of(store) == before
    if kind == "changed scene":
        assert examine(store, quick=True).sound


def test_a_moved_scene_is_found_again_by_tiling_it_there(store: Store) -> None:
    before = contents(store)
    _scene_moved(store)
    moved = next(Path(store.path).parent.glob("moved.tif"))
    assert ingest(moved, store, None, TileOptions(size=32)).added == 0
    assert examine(store).sound
    assert contents(store) == before
    assert str(moved) in store.snapshot().uris.values()


def test_the_command_for_a_moved_scene_works_as_it_is_written(tmp_path: Path) -> None:
    db = Store.create(tmp_path / "it's")
    scene = raster(tmp_path / "scene.tif", noise(3, 100, 90))
    ingest(scene, db, None, TileOptions(32, 17, (3, 1, 2), gsd=13.7, min_valid=0.3))
    ingest(scene, db, None, TileOptions(sizes=(16, 64), bands=(3, 1, 2)))
    before = contents(db)
    scene.rename(tmp_path / "moved.tif")
    (finding,) = [found for found in examine(db).findings if found.kind == "missing scene"]
    commands = finding.remedy[finding.remedy.index("geocmer tile") :].split(" and ")
    assert ["--size 32 --stride 17" in commands[0], "--size 16,64 --bands" in commands[1]] == [True, True]
    for command in commands:
        _, *args = shlex.split(command)
        args[args.index("NEW_PLACE")] = str(tmp_path / "moved.tif")
        code, _, said = run(*args, "--no-embed")
        assert code == 0, said
    assert [found.kind for found in examine(db).findings] == ["unembedded"]
    assert contents(db) == before
    assert {row.uri for row in db.scenes()} == {str(tmp_path / "moved.tif")}
    assert len(db.scenes()) == 3


def test_a_scene_that_cannot_be_read_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("geocmer.doctor.scene_files.hash_scene", refuse)
    (finding,) = examine(store).findings
    assert (finding.kind, finding.count) == ("unreadable scene", 2)
    assert "Permission denied" in finding.example
