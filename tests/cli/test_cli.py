"""The command line through its entry point: exit codes, one-line errors, data to stdout and notes to stderr."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import warm
from commands import Run
from synthetic import ENCODER, contents, noise, raster, unit

from geocmer import __version__
from geocmer.errors import GeocmerError
from geocmer.store import mmap_cache
from geocmer.store.store import Store


def bytes_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_version_and_help_go_to_stdout(run: Run) -> None:
    assert run("--version") == (0, f"geocmer {__version__}\n", "")
    code, out, err = run("tile", "--help")
    assert (code, err) == (0, "")
    assert "Example: geocmer tile" in out


@pytest.mark.parametrize(
    "args",
    [
        ["fly"],
        ["tile"],
        ["tile", "a.tif", "--no-such-option"],
        ["tile", "a.tif", "--size", "big"],
        ["tile", "a.tif", "--size", "0"],
        ["tile", "a.tif", "--min-valid", "2"],
        ["search", "x", "-k", "0"],
        ["export"],
    ],
)
def test_wrong_usage_exits_2(run: Run, args: list[str]) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert "Usage" in err


def test_tile_says_its_account_on_stderr_and_json_on_stdout(run: Run, tmp_path: Path, scene: Path) -> None:
    store = tmp_path / "store"
    code, out, err = run("tile", scene, "--size", 32, "--no-embed", "--store", store)
    assert (code, out) == (0, "")
    assert "6 tiles added" in err
    assert "6 of 6 tiles made, 100.0% of the valid area covered" in err
    assert "divide the scene without a rest" in err
    assert "shifted inward" in run("tile", scene, "--size", 40, "--no-embed", "--store", tmp_path / "uneven")[2]
    assert "bands 1,2,3" in err
    before = contents(Store.open(store))
    code, out, err = run("tile", scene, "--size", 32, "--no-embed", "--store", store, "--json")
    assert code == 0
    (line,) = out.splitlines()
    assert json.loads(line)["added"] == 0
    assert json.loads(line)["tiling"]["made"] == 6
    assert "nothing to do" in err
    assert contents(Store.open(store)) == before


def test_a_bad_scene_exits_1_with_one_line_and_leaves_the_store_alone(run: Run, tmp_path: Path, scene: Path) -> None:
    store = tmp_path / "store"
    run("tile", scene, "--size", 32, "--no-embed", "--store", store)
    text, empty, bare = (
        tmp_path / "text.tif",
        tmp_path / "empty.tif",
        raster(tmp_path / "b.tif", noise(1, 9, 9), crs=None),
    )
    text.write_text("hello\nworld")
    empty.touch()
    (tmp_path / "a folder").mkdir()
    before = bytes_of(store)
    for path in (text, empty, bare, tmp_path / "missing.tif", tmp_path / "a folder"):
        for place in (store, tmp_path / "new"):
            for more in ([path], [scene, path, "--fail-fast"]):
                code, out, err = run("tile", *more, "--size", 16, "--no-embed", "--store", place)
                assert (code, out) == (1, "")
                assert err.startswith("error: ")
                assert err.count("\n") == 1
                assert str(path) in err
    assert bytes_of(store) == before
    assert not (tmp_path / "new").exists()


def test_a_bad_scene_is_left_out_named_and_the_others_are_stored(run: Run, tmp_path: Path, scene: Path) -> None:
    store, empty = tmp_path / "store", raster(tmp_path / "empty.tif", 0 * noise(3, 64, 96), nodata=0)
    missing = tmp_path / "missing.tif"
    for _ in range(2):
        code, out, err = run("tile", missing, empty, scene, "--size", 32, "--no-embed", "--store", store)
        assert (code, out) == (1, "")
        assert err.splitlines()[-1].startswith("error: 2 of 3 scenes were left out")
        assert all(str(path) in err.splitlines()[-1] for path in (missing, empty))
        assert json.loads(run("info", "--store", store, "--json")[1])["tiles"] == 6
    assert run("tile", missing, empty, "--size", 32, "--no-embed", "--store", tmp_path / "new")[0] == 1


def test_a_scene_is_removed_by_its_file(run: Run, tmp_path: Path, scene: Path) -> None:
    store = tmp_path / "store"
    run("tile", scene, "--size", 32, "--no-embed", "--store", store)
    code, _, err = run("remove", tmp_path / "other.tif", "--store", store)
    assert (code, err.count("\n")) == (1, 1)
    assert scene.name in err, "the scenes that there are"
    code, out, err = run("remove", scene, "--store", store)
    assert (code, out) == (0, "")
    assert "6 tiles removed" in err
    facts = json.loads(run("info", "--store", store, "--json")[1])
    assert (facts["tiles"], facts["scenes"]) == (0, {})


def test_names_from_files_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from geocmer_cli.console import printable, say

    say("x\x1b]0;title\x07 [red]y\u202e\nÜber")
    assert capsys.readouterr().err == "x\ufffd]0;title\ufffd [red]y\ufffd Über\n"
    assert printable("two\nlines\tand a tab") == "two\nlines\tand a tab"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["tile", "{scene}", "--bands", "1,2", "--store", "{new}"], "bands '1,2'"),
        (["tile", "{scene}", "--bands", "4,2,1", "--store", "{new}"], "bands 1 to 3"),
        (["tile", "{scene}", "--size", "8", "--stride", "9", "--store", "{new}"], "stride"),
        (["tile", "{scene}", "--gsd", "-3", "--store", "{new}"], "gsd"),
        (["tile", "{scene}", "--landcover", "none.tif", "--store", "{new}"], "none.tif"),
        (["tile", "{scene}", "--landcover", "{scene}", "--legend", "mine", "--store", "{new}"], "legend 'mine'"),
        (["tile", "{scene}", "--rules", "none.toml", "--store", "{new}"], "none.toml"),
        (["info", "--store", "{new}"], "geocmer tile"),
        (["search", "x", "--store", "{new}"], "geocmer tile"),
        (["search", "x", "--bbox", "1,2,3", "--store", "{store}"], "four numbers"),
        (["search", "x", "--bbox", "1,2,3,4", "--region", "a.geojson", "--store", "{store}"], "both"),
        (["export", "-o", "hits.doc", "--store", "{store}"], ".doc"),
    ],
)
def test_errors_are_one_line_that_names_the_value(
    run: Run, tmp_path: Path, scene: Path, args: list[str], said: str
) -> None:
    store, new = tmp_path / "store", tmp_path / "new"
    Store.create(store)
    code, out, err = run(*(arg.format(scene=scene, store=store, new=new) for arg in args))
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: ")
    assert said in err.splitlines()[-1]


def test_info_says_what_a_store_holds(run: Run, tmp_path: Path, scene: Path) -> None:
    legend = tmp_path / "legend.csv"
    legend.write_text("code,label\n1,\"lake; 'x' Ü\"\n2,wood\n")
    codes = np.full((1, 64, 96), 1, "uint8")
    codes[:, :, 32:] = 2
    cover = raster(tmp_path / "cover.tif", codes)
    store = tmp_path / "store"
    args = ("tile", scene, "--size", 32, "--landcover", cover, "--legend", legend, "--no-embed", "--store", store)
    assert run(*args)[0] == 0
    code, out, err = run("info", "--store", store, "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert facts["tiles"] == 6
    assert facts["categories"] == {"wood": 4, "lake; 'x' ü": 2}
    assert str(scene) in facts["scenes"]
    west, south, east, north = facts["bounds"]
    assert 15 < west < east < 18
    assert 45 < south < north < 46


def test_a_store_is_read_as_of_a_version(run: Run, tmp_path: Path, scene: Path) -> None:
    store, file = tmp_path / "store", tmp_path / "tiles.csv"
    run("tile", scene, "--size", 32, "--no-embed", "--store", store)
    run("tile", scene, "--size", 16, "--no-embed", "--store", store)
    newest, *_, oldest = json.loads(run("info", "--store", store, "--json")[1])["versions"]
    assert (newest["tiles"], oldest["tiles"]) == (6 + 24, 0)
    then = next(v for v in json.loads(run("info", "--store", store)[1])["versions"] if v["tiles"] == 6)
    code, out, err = run("info", "--as-of", then["version"], "--store", store, "--json")
    assert (code, err) == (0, f"reading version {then['version']} of {then['time']}\n")
    facts = json.loads(out)
    assert (facts["tiles"], len(facts["scenes"])) == (6, 1)
    assert facts["versions"][0] == newest
    code, _, err = run("export", "-o", file, "--as-of", then["version"], "--store", store)
    assert (code, len(file.read_text().splitlines())) == (0, 1 + 6)
    assert "6 tiles written" in err
    for command in (["search", "x"], ["info"], ["export", "-o", file]):
        assert run(*command, "--as-of", 99, "--store", store)[0] == 1
        code, _, err = run(*command, "--as-of", "2001-01-01", "--store", store)
        assert code == 1
        assert f"the oldest is {oldest['version']} of {oldest['time']}" in err
        assert "'lately' is neither" in run(*command, "--as-of", "lately", "--store", store)[2]


def test_doctor_says_what_is_wrong_and_exits_1_while_something_is(run: Run, tmp_path: Path, scene: Path) -> None:
    store = tmp_path / "store"
    assert run("doctor", "--store", store)[0] == 1
    run("tile", scene, "--size", 32, "--no-embed", "--store", store)
    code, out, err = run("doctor", "--store", store)
    assert code == 1
    (line,) = out.splitlines()
    finding = json.loads(line)
    assert (finding["kind"], finding["count"], finding["fixed"]) == ("unembedded", 6, False)
    assert finding["remedy"] == f"geocmer embed --store {store}"
    assert err.splitlines()[-1].endswith("1 findings, 0 fixed, 1 remain")
    db = Store.open(store)
    db.reembed(ENCODER, lambda keys: unit(len(keys)))
    code, out, err = run("doctor", "--store", store, "--quick")
    assert (code, out) == (0, "")
    assert f"store {store} is sound: 6 tiles, 1 scenes" in err
    mmap_cache.build_cache(db.snapshot())
    db.set_categories([contents(db)[0]["id"]], ["lake"], [None], [None])
    assert run("doctor", "--store", store)[0] == 1
    code, out, err = run("doctor", "--fix", "--store", store, "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert (code, [f["fixed"] for f in found]) == (0, [True] * len(found))
    assert "stale cache" in {f["kind"] for f in found}
    assert not list((store / "cache").iterdir())


def test_export_writes_what_was_asked_for(run: Run, tmp_path: Path, scene: Path) -> None:
    store, file = tmp_path / "store", tmp_path / "tiles Ü.geojson"
    run("tile", scene, "--size", 32, "--no-embed", "--store", store)
    code, out, err = run("export", "-o", file, "--store", store)
    assert (code, out) == (0, "")
    assert "6 tiles" in err
    assert len(json.loads(file.read_text())["features"]) == 6


def test_a_bug_keeps_its_traceback(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Store, "open", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("info", "--store", tmp_path)
    monkeypatch.setattr(Store, "open", lambda *_: (_ for _ in ()).throw(GeocmerError("two\nlines")))
    assert run("info", "--store", tmp_path) == (1, "", "error: two lines\n")


def test_an_interrupt_says_how_to_go_on(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object) -> Store:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "open", interrupted)
    code, out, err = run("info", "--store", tmp_path)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted; run the same command again to go on where it stopped"


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_run_that_was_ended_is_completed_by_the_same_command(
    run: Run, tmp_path: Path, kind: signal.Signals, warm_command: Path
) -> None:
    """A signal once the first batch is there; the rest of the moments are tried in test_ingest and test_store."""
    scene = raster(tmp_path / "a.tif", noise(3, 400, 400))
    args = ["tile", str(scene), "--size", "16", "--no-embed", "--store"]
    data = tmp_path / "killed" / "tiles.lance" / "data"
    with (tmp_path / "said").open("w+") as said, Path(os.devnull).open("r+") as null:
        streams = (null.fileno(), null.fileno(), said.fileno())
        process = warm.start(warm_command, [*args, str(tmp_path / "killed")], streams)
        while process.is_alive() and not (data.is_dir() and any(data.iterdir())):
            time.sleep(0.005)
        with suppress(ProcessLookupError):  # it was quicker
            os.kill(process.pid, kind)
        code = process.wait()
    if kind == signal.SIGINT:
        assert code == 130
        assert (tmp_path / "said").read_text() == "interrupted; run the same command again to go on where it stopped\n"
    for place in ("killed", "whole"):
        assert run(*args, tmp_path / place)[0] == 0
    killed, whole = (Store.open(tmp_path / place) for place in ("killed", "whole"))
    assert contents(killed) == contents(whole)
    assert whole.count() == 625
    assert len(killed.scenes()) == 1
