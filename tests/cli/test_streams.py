"""Where the output goes: closed pipes, full disks, narrow terminals; and names that look like markup."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import warm
from synthetic import filled, tile, unit

from geocmer.models.encoder import expected_fingerprint
from geocmer.store import Store
from geocmer.store.vectors import EncoderInfo

(POINT,) = entry_points(group="console_scripts", name="geocmer")
COMMAND = [sys.executable, "-c", f"from {POINT.module} import {POINT.attr} as main; main()"]
Run = Callable[..., tuple[int, str]]
HOSTILE = ("wood [/old]", "[red]lake[/red]", "ortho[north]")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store that the bundled model's text side may search."""
    store = Store.create(tmp_path_factory.mktemp("streams") / "store")
    store.add_encoder(EncoderInfo(expected_fingerprint() or "", "bundled", "", 384))
    store.add_tiles([tile(n, west=n, category=HOSTILE[n % 3]) for n in range(9)], unit(9, 384))
    return store.path


def cold(*args: str, **options: Any) -> tuple[int, str]:
    """Run the command in an interpreter of its own; return its exit code and stderr."""
    done = subprocess.run([*COMMAND, *args], stderr=subprocess.PIPE, text=True, check=False, **options)
    return done.returncode, done.stderr


@pytest.fixture
def run(warm_command: Path, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run the warm command with a stdout; return its exit code and stderr."""

    def run(*args: str, stdout: int, env: Mapping[str, str] = os.environ) -> tuple[int, str]:
        with (tmp_path / "stderr").open("w+") as errors, Path(os.devnull).open() as nothing:
            code = warm.start(warm_command, list(args), (nothing.fileno(), stdout, errors.fileno()), env).wait()
            errors.seek(0)
            return code, errors.read()

    return run


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", [["info"], ["search", "a lake"], ["search", "a lake", "-o", "-"]])
def test_a_full_disk_is_said_in_one_line(store: str, words: list[str], run: Run) -> None:
    with Path("/dev/full").open("w") as full:
        for command in (run, cold) if words == ["info"] else (run,):
            code, said = command(*words, "--store", store, stdout=full.fileno())
            assert code == 1
            last = said.splitlines()[-1]
            assert last.startswith("error: ")
            assert "No space left on device" in last
            assert "Traceback" not in said


def test_a_closed_stdout_is_said_in_one_line(store: str) -> None:
    code, said = cold("info", "--store", store, preexec_fn=lambda: os.close(1))
    assert code == 1
    assert said.splitlines()[-1].startswith("error: stdout cannot be written")


@pytest.mark.parametrize("words", [["search", "a lake", "--all"], ["search", "a lake", "-o", "-"], ["info"]])
def test_a_reader_that_has_enough_is_no_error(store: str, words: list[str], run: Run) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for command in (run, cold) if words == ["info"] else (run,):
        code, said = command(*words, "--store", store, stdout=writing, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        assert (code, "Traceback" in said) == (0, False), said
    os.close(writing)


def test_hits_go_to_stdout_as_geojson(store: str, run: Run) -> None:
    reading, writing = os.pipe()
    code, said = run("search", "a lake", "--store", store, "-k", "2", "-o", "/dev/stdout", stdout=writing)
    os.close(writing)
    with os.fdopen(reading) as printed:
        assert len(json.loads(printed.read())["features"]) == 2, said
    assert code == 0


def terminal(command: Path, *args: str, columns: int, encoding: str = "utf-8", code: int | None = 0) -> str:
    """What a terminal shows of the warm command."""
    parent, child = pty.openpty()
    environment = {
        **os.environ,
        "TERM": "xterm",
        "NO_COLOR": "1",
        "COLUMNS": str(columns),
        "PYTHONIOENCODING": encoding,
    }
    process = warm.start(command, list(args), (child, child, child), environment)
    os.close(child)
    shown = b""
    while True:
        try:
            shown += os.read(parent, 65_536)
        except OSError:
            break
    os.close(parent)
    assert process.wait() == code or code is None, shown.decode()
    return shown.decode(errors="replace")


@pytest.mark.parametrize("columns", [40, 200])
def test_names_in_brackets_are_shown_as_they_are(store: str, columns: int, warm_command: Path) -> None:
    shown = terminal(warm_command, "search", "a lake", "--store", store, columns=columns)
    for name in HOSTILE:
        assert name in shown


@pytest.mark.parametrize("command", ["info", "doctor", "search"])
def test_no_name_of_a_store_steers_the_terminal(tmp_path: Path, command: str, warm_command: Path) -> None:
    store = Store.create(tmp_path / "store")
    store.add_encoder(EncoderInfo(expected_fingerprint() or "", "bundled", "", 384))
    store.add_tiles([tile(1, category="lake\x1b]0;taken over\x07\x9b31m")], unit(1, 384))
    words = ["a lake"] if command == "search" else []
    shown = terminal(warm_command, command, *words, "--store", str(store.path), columns=200, code=None)
    assert "\x1b]0;" not in shown
    assert "\x9b" not in shown
    assert "\x07" not in shown
    assert "taken over" in shown or command == "doctor"


def test_a_terminal_of_another_encoding_shows_what_it_can(tmp_path: Path, warm_command: Path) -> None:
    path = filled(tmp_path / "store", [tile(1, category="Überschwemmung 水")], None).path
    assert "berschwemmung" in terminal(warm_command, "info", "--store", path, columns=160, encoding="ascii")
