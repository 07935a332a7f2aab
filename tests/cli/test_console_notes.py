"""What libraries warn of reaches the user in one line each."""

from __future__ import annotations

import errno
import io
import logging
import warnings
from pathlib import Path

import pytest
import rasterio
from geocmer_cli.console import say
from geocmer_cli.notes import warnings_as_notes
from synthetic import noise, raster


def test_gdals_own_warning_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings_as_notes(), rasterio.Env(), rasterio.open(raster(tmp_path / "a.tif", noise(1, 8, 8)), "r+") as file:
        for _ in range(2):
            file.update_tags(ns="GEOLOCATION", LINE="x" * 40_000)  # does not fit: GDAL says where it goes instead
        log = logging.getLogger("rasterio._env")
        log.warning("CPLE_AppDefined in a.tif: the first\nsecond line")
        log.error("CPLE_AppDefined in a.tif: raised as well")
        warnings.warn("two\nlines", RuntimeWarning, stacklevel=1)
        warnings.warn("two\nlines", RuntimeWarning, stacklevel=1)
    lines = capfd.readouterr().err.splitlines()
    assert lines[-2:] == ["note: a.tif: the first", "note: two"]
    assert all(line.startswith("note: ") for line in lines)
    assert len(set(lines)) == len(lines)


def test_what_was_set_before_is_set_again() -> None:
    log, show = logging.getLogger("rasterio"), warnings.showwarning
    before = (list(log.handlers), log.propagate, log.level)
    with warnings_as_notes():
        assert warnings.showwarning is not show
    assert (list(log.handlers), log.propagate, log.level, warnings.showwarning) == (*before, show)


def test_a_note_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    say("a note")
