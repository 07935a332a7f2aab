"""What a press of Tab offers, through the shells' own protocol and as functions."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from commands import run
from synthetic import filled, tile

from geocmer.store.records import write_record

(POINT,) = entry_points(group="console_scripts", name="geocmer")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    rows = [tile(1, category="forest", fractions={"Tree cover": 1.0}), tile(2, category="farm [old]")]
    filled(folder / "geocmer-store", rows, None)
    filled(folder / "other", [tile(1, category="water")], None)
    write_record(str(folder / "geocmer-store"), "concept", "solar park", "{}")
    write_record(str(folder / "geocmer-store"), "saved search", "Ponds", "{}")
    (folder / "empty").mkdir()
    (folder / "mine.csv").write_text("code,label,category\n")
    return folder


def asked(*words: str) -> dict[str, str]:
    """What bash asks with: the words typed so far, the last of them unfinished."""
    return {
        "_GEOCMER_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["geocmer", *words]),
        "COMP_CWORD": str(len(words)),
    }


def test_a_shell_asks_the_command(folder: Path) -> None:
    code = f"import sys; sys.argv = ['geocmer']; from {POINT.module} import {POINT.attr} as main; main()"
    environment = {**os.environ, **asked("search", "lake", "--category", "f")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert (done.stdout.split("\n"), done.stderr) == (["farm [old]", "forest", ""], "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["search", "lake", "--category", "fo"], ["forest"]),
        (["search", "--store", "other", "--category", "w"], ["water"]),
        (["search", "--store", "absent", "--category", "w"], []),
        (["search", "lake", "--where", "tr"], ["tree_cover"]),
        (["export", "--store", "o"], ["other"]),
        (["detect", "s"], ["solar park"]),
        (["concept", "show", "so"], ["solar park"]),
        (["concept", "show", "--store", "other", "so"], []),
        (["watch", "Po"], ["Ponds"]),
        (["tile", "x.tif", "--legend", "m"], ["mine.csv"]),
    ],
)
def test_a_shell_is_offered_what_there_is(
    folder: Path, words: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None)  # else its name would be `python -m pytest`
    for name, value in asked(*words).items():
        monkeypatch.setenv(name, value)
    _, out, err = run()
    assert ([line for line in out.split("\n") if line], err) == (expected, "")


def test_names_are_completed_where_they_stand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import click
    from geocmer_cli.completion import complete_legend, complete_store, complete_where

    monkeypatch.chdir(folder)
    ctx = click.Context(click.Command("search"))
    assert complete_where(ctx, "gsd > 1 and (ca") == ["gsd > 1 and (category"]
    assert complete_where(ctx, "") == ["category", "datetime", "geometry", "gsd", "size", "tree_cover"]
    assert complete_where(ctx, "gsd > 1") == []
    assert complete_store("") == ["geocmer-store", "other"]
    assert complete_store("emp") == ["empty/"]
    assert complete_store(f"{folder}/ot") == [f"{folder}/other"]
    assert complete_store("/no/such/folder") == []
    assert {"nlcd", "esa_worldcover"} <= set(complete_legend(""))
    assert complete_legend("esa_w") == ["esa_worldcover"]
