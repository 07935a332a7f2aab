"""Scores of several sets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from geocmer.training.scores import Accuracy
from geocmer.training.training_data import TrainingData


def test_sets_that_are_called_alike_are_scored_apart() -> None:
    """Sets are named after their folders, and two files may lie in one."""
    sets = [
        SimpleNamespace(name=name, share=share, score=lambda *_, figure=figure: Accuracy(figure))
        for name, share, figure in (("data", 0.5, 10.0), ("eurosat", 0.25, 20.0), ("data", 0.25, 30.0))
    ]
    data: Any = SimpleNamespace(validation=sets, texts=None)
    adapter: Any = None
    found = TrainingData.score(data, adapter)
    assert found.mean == pytest.approx(0.5 * 10 + 0.25 * 20 + 0.25 * 30)
    assert found.to_json()["sets"] == {
        "data": {"accuracy": 10.0}, "eurosat": {"accuracy": 20.0}, "data 2": {"accuracy": 30.0},
    }  # fmt: skip
