"""`rio geocmer` is `geocmer`."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RIO = "from rasterio.rio.main import main_group\ndef command(): main_group(sys.argv[1:], prog_name='rio')"
GEOCMER = "from geocmer_cli.main import main as command"


SEVERAL = """
import contextlib, io, json, sys
for arguments in json.loads(sys.stdin.read()):
    out, err, code, sys.argv = io.StringIO(), io.StringIO(), 0, ["-c", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            command()
        except SystemExit as stop:
            code = stop.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


def run(command: str, *runs: list[str]) -> list[tuple[int, str, str]]:
    """Run a command several times in a process of its own; return exit code, stdout and stderr of each."""
    done = subprocess.run(
        *([sys.executable, "-c", f"{command}{SEVERAL}"],),
        input=json.dumps(runs), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The entry point of pyproject.toml, whether or not this environment was installed since."""
    import os
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["rasterio.rio_plugins"]
    assert EntryPoint("geocmer", declared["geocmer"], "rasterio.rio_plugins").load().name == "geocmer"
    info = tmp_path / "geocmer_rio-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: geocmer-rio\nVersion: 0\n")
    (info / "entry_points.txt").write_text(f"[rasterio.rio_plugins]\ngeocmer = {declared['geocmer']}\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))


@pytest.mark.usefixtures("registered")
def test_rio_lists_geocmer_and_passes_options_and_exit_codes_on(tmp_path: Path) -> None:
    asked = [["--version"], ["search", "--no-such-option"], ["info", "--store", str(tmp_path / "none")]]
    (_, listed, _), (_, helped, _), *by_rio = run(
        RIO, ["--help"], ["geocmer", "search", "--help"], *(["geocmer", *arguments] for arguments in asked)
    )
    assert "geocmer" in listed
    assert "Usage: rio geocmer search" in helped
    for rio, alone in zip(by_rio, run(GEOCMER, *asked), strict=True):
        assert (*rio[:2], rio[2].replace("rio geocmer", "-c")) == alone
    assert [code for code, _, _ in by_rio] == [0, 2, 1]
