"""The command in this process, and a scene to tile."""

from __future__ import annotations

from pathlib import Path

import commands
import pytest
from synthetic import noise, raster


@pytest.fixture
def run() -> commands.Run:
    """The command in this process: exit code, stdout, stderr."""
    return commands.run


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return raster(tmp_path / "scene, 'quoted'; Ü.tif", noise(3, 64, 96))
