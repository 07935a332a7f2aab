"""`rio geocmer` is `geocmer`."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RIO = "import sys; from rasterio.rio.main import main_group; main_group(sys.argv[1:], prog_name='rio')"
GEOCMER = "import sys; from geocmer_cli.main import main; main()"


def run(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


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
    assert "geocmer" in run(RIO, "--help").stdout
    for arguments in (["--version"], ["search", "--no-such-option"], ["info", "--store", tmp_path / "none"]):
        rio, alone = run(RIO, "geocmer", *arguments), run(GEOCMER, *arguments)
        assert rio.returncode == alone.returncode
        assert rio.stdout == alone.stdout
        assert rio.stderr.replace("rio geocmer", "-c") == alone.stderr
    assert "Usage: rio geocmer search" in run(RIO, "geocmer", "search", "--help").stdout
