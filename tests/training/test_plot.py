"""The figure of a run: it is a picture, it shows what the record says, and no half of it is ever left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geocmer.errors import InputError
from geocmer.training.plot import _axis, draw


def _record(path: Path, losses: list[float], best: int) -> Path:
    lines = [
        {"epoch": i, "loss": v, "best": i <= best, "mR": 10 + i, "i2t": [1, 2, 30 + i], "t2i": [1, 2, 20 + i]}
        for i, v in enumerate(losses)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _height(picture: np.ndarray, x: slice) -> float:
    """Mean row of the loss line's colour within some columns."""
    line = (np.abs(picture[:, x].astype(int) - (31, 119, 180)) < 40).all(-1)
    return float(np.nonzero(line)[0].mean())


def test_a_falling_loss_falls_in_the_picture(tmp_path: Path) -> None:
    draw(_record(tmp_path / "metrics.jsonl", [5, 4, 3, 2.5, 2.2, 2.1], 4), tmp_path / "figure.png")
    picture = np.asarray(Image.open(tmp_path / "figure.png"))
    assert picture.shape == (520, 1200, 3)
    assert _height(picture, slice(70, 170)) + 100 < _height(picture, slice(500, 576))  # rows count downwards
    assert sorted(p.name for p in tmp_path.iterdir()) == ["figure.png", "metrics.jsonl"]


@pytest.mark.parametrize("losses", [[3.0], [2.0, 2.0], [1.0, float("nan"), 3.0], [0.0, 0.0]])
def test_any_run_can_be_drawn(tmp_path: Path, losses: list[float]) -> None:
    draw(_record(tmp_path / "metrics.jsonl", losses, 0), tmp_path / "figure.png")
    assert Image.open(tmp_path / "figure.png").size == (1200, 520)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_the_axis_holds_the_values_with_few_round_marks(least: float, span: float) -> None:
    low, high, marks = _axis(least, least + span)
    slack = 1e-6 * max(1.0, abs(least), span)
    assert low <= least + slack
    assert high >= least + span - slack
    assert low < high
    assert 2 <= len(marks) <= 9


def test_no_record_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train first"):
        draw(tmp_path / "metrics.jsonl", tmp_path / "figure.png")
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(InputError, match="no epoch yet"):
        draw(tmp_path / "metrics.jsonl", tmp_path / "figure.png")
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n')
    with pytest.raises(InputError, match="not the record"):
        draw(tmp_path / "metrics.jsonl", tmp_path / "figure.png")


@pytest.mark.parametrize(
    "figures",
    [
        {"accuracy": 50.0},
        {"mean": 40.0, "sets": {"a": {"mR": 20.0}, "b": {"accuracy": 60.0}, "c": {"accuracy": 40.0}}},
    ],
)
def test_labelled_and_several_sets_are_drawn(tmp_path: Path, figures: dict[str, object]) -> None:
    lines = [{"epoch": i, "loss": 2.0 - i, "best": True, **figures} for i in range(2)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    draw(tmp_path / "metrics.jsonl", tmp_path / "figure.png")
    assert Image.open(tmp_path / "figure.png").size == (1200, 520)
