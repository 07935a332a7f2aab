"""What cannot work is told before a model is loaded, and a file that cannot be written before it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from geocmer_cli.main import app
from PIL import Image
from taught import make_store
from typer.testing import CliRunner

from geocmer.collection.opening import Opening
from geocmer.errors import GeocmerError
from geocmer.models.backbone import Backbone


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    make_store(tmp_path_factory.mktemp("early") / "store")
    return tmp_path_factory.getbasetemp() / "early0" / "store"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["search", "lake", "-o", "x.txt"], "x.txt"),
        (["search", "lake", "-o", "absent/x.gpkg"], "the folder absent does not exist"),
        (["search", "lake", "-o", "x.html", "--style"], "a QGIS style does not go with it"),
        (["search", "lake", "--min-probability", "5"], "min_probability 5 is not between 0 and 1"),
        (["search", "lake", "--min-probability", "-0.1"], "is not between 0 and 1"),
        (["search", "lake", "--category-prior", "2"], "is not between 0 and 1"),
        (["search", "lake near road near river"], "chains"),
        (["search", "lake", "--bbox", "1,2,3"], "is not four numbers"),
        (["search", "lake", "--since", "soon"], "is not YYYY, YYYY-MM or YYYY-MM-DD"),
        (["search", "new", "barns", "--before", "2009"], "geocmer change 'new barns' --from 2009 --to DATE"),
        (["search", "barns", "--before", "2009", "--after", "2020"], "geocmer change 'barns' --from 2009 --to 2020"),
        (["change", "lake", "--from", "2009", "--to", "2020", "-o", "x.txt"], "x.txt"),
        (["change", "lake", "--from", "2009", "--to", "2020", "--min-score", "5"], "is not between 0 and 1"),
        (["series", "lake", "--at", "1,2", "-o", "x.txt"], "a series is written as"),
        (["series", "lake", "--at", "1,2", "-o", "absent/x.csv"], "the folder absent does not exist"),
        (["detect", "lake", "-o", "x.txt"], "detections are written as"),
        (["detect", "lake", "-o", "absent/x.tif"], "the folder absent does not exist"),
        (["detect", "lake", "-o", "x.gpkg", "--min-probability", "5"], "is not between 0 and 1"),
        (["watch", "lake", "-o", "x.txt"], "x.txt"),
    ],
)
def test_no_model_is_loaded_for_what_cannot_work(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(Opening, "_query_encoder", load)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [*words, "--store", str(store)], env={"COLUMNS": "200", "TERM": "dumb"})
    assert isinstance(done.exception, GeocmerError | SystemExit)
    assert done.exit_code != 0
    assert says in f"{done.exception} {done.output}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "absent.json"], "absent.json does not exist"),
        (["train", "set.json#"], "is not known"),
        (["train", "set.json", "absent.json"], "absent.json does not exist"),
        (["train", "set.json", "set.json", "--method", "lora"], "trains on one set"),
        (["train", "set.json", "--out", "file"], "file cannot be written"),
        (["train", "set.json", "--out", "file/adapter"], "give another --out"),
        (["train", "set.json", "--cache-dir", "file"], "give another --cache-dir"),
        (["train", "set.json", "--config", "settings.toml"], "weights [1.0, 2.0] do not fit 1 sets"),
        (["train", "set.json", "--config", "start.toml"], "no adapter at absent"),
        (["train", "test.json"], "has no 'train' split"),
        (["calibrate", "absent.json"], "absent.json does not exist"),
        (["calibrate", "test.json"], "has no 'val' split"),
        (["calibrate", "set.json", "--figure", "x.txt"], "ends in .png"),
        (["calibrate", "set.json", "--figure", "absent/x.png"], "the folder absent does not exist"),
        (["evaluate", "set.json", "--split", "val", "--panels", "file"], "give another --panels"),
        (["evaluate", "set.json", "--split", "val", "--category-prior", "nan"], "is not between 0 and 1"),
        (["evaluate", "set.json", "--split", "test"], "has no 'test' split"),
    ],
)
def test_no_towers_are_loaded_for_what_cannot_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("towers were loaded")

    monkeypatch.setattr(Backbone, "load", load)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("a.png")
    for name, splits in (("set", ["train", "train", "val"]), ("test", ["test"])):
        images = [{"filename": f"{split}{n}.png", "split": split, "captions": ["x"]} for n, split in enumerate(splits)]
        for image in images:
            Image.new("RGB", (8, 8)).save(str(image["filename"]))
        Path(f"{name}.json").write_text(json.dumps({"images": images}))
    Path("file").touch()
    Path("settings.toml").write_text("\ufeffweights = [1, 2]", "utf-8")
    Path("start.toml").write_text("start = 'absent'")
    before = sorted(tmp_path.iterdir())
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, GeocmerError)
    assert says in str(done.exception)
    assert sorted(tmp_path.iterdir()) == before
