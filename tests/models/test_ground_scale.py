"""Tiles of more or less ground than a model knows are said, with what would fit."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocmer.errors import ModelError
from geocmer.models.adapter_config import read_config
from geocmer.models.encoder import default_adapter
from geocmer.models.ground_scale import MAX_PIXELS, MIN_PIXELS, scale_note


@pytest.mark.parametrize(
    ("gsd", "size", "note"),
    [
        (10, 224, ""),
        (0.5, 224, ""),
        (0.1, 224, "a tile covers 22.4 m, and the model knows 75 m to 4.8 km: --size 750 or --gsd 0.34 would fit"),
        (28.5, 224, "a tile covers 6.38 km, and the model knows 75 m to 4.8 km: --size 168 would fit"),
        (0.02, 224, "a tile covers 4.48 m, and the model knows 75 m to 4.8 km: --gsd 0.34 would fit"),
        (300, 224, "a tile covers 67.2 km, and the model knows 75 m to 4.8 km; at 300 m a pixel no tile fits: expect "
         "poor answers, or use imagery of a finer resolution"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_tile(gsd: float, size: int, note: str) -> None:
    assert scale_note((75, 4800), gsd, size) == note
    assert scale_note((), gsd, size) == ""


@given(st.floats(0.01, 100), st.integers(1, 2000), st.floats(1, 1000), st.floats(1, 100))
def test_what_is_advised_fits(gsd: float, size: int, least: float, ratio: float) -> None:
    known = least, least * ratio
    note = scale_note(known, gsd, size)
    assert (note == "") == (known[0] <= gsd * size <= known[1])
    for advised in map(int, re.findall(r"--size (\d+)", note)):
        assert MIN_PIXELS <= advised <= MAX_PIXELS
        assert known[0] * (1 - 1e-9) <= gsd * advised + gsd
        assert gsd * advised - gsd <= known[1] * (1 + 1e-9)
    for resampled in map(float, re.findall(r"--gsd ([\d.e-]+)", note)):
        assert resampled > gsd
        assert known[0] * (1 - 1e-6) <= resampled * size


def test_the_shipped_adapter_says_what_it_knows() -> None:
    least, most = read_config(default_adapter()).ground_m
    assert least < 224 * 1 < 224 * 10 < most, "aerial pictures and Sentinel-2 at the usual size"


@pytest.mark.parametrize("bad", [[75], [4800, 75], [-1, 5], ["75", 100], [0, 10]])
def test_a_damaged_record_is_refused(tmp_path: Path, bad: list[object]) -> None:
    shutil.copy(default_adapter() / "config.json", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "ground_m": bad}))
    with pytest.raises(ModelError, match="ground_m"):
        read_config(tmp_path)
