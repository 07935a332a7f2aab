"""The scripts in tests/benchmarks, which no other test runs: they load, and the GPU check can fail."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
EXTRA = {"duckdb", "faiss", "numba", "peft"}
"""Packages of the extra `bench`."""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where its data classes look for their annotations
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.py")))
def test_a_script_finds_all_that_it_imports(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)  # as `python tests/benchmarks/NAME.py` has it: some import another
    try:
        load(name)
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        pytest.skip(f"{error.name} is not installed")


def test_trainings_of_one_kind_agree_and_of_two_kinds_do_not() -> None:
    difference = load("gpu_agreement").difference
    rng = np.random.default_rng(0)

    def disagree(shift: float) -> float:
        pairs = (difference(rng.normal(50, 1, 3).tolist(), rng.normal(50 + shift, 1, 3).tolist()) for _ in range(400))
        return float(np.mean([apart > noise for apart, noise in pairs]))

    assert disagree(0) < 0.08  # three standard errors, themselves estimated from three runs each
    assert disagree(5) > 0.9
    # With spreads at their floor of half a point the bound is known.
    apart, noise = difference([50.0, 50.0, 50.0, 50.0], [51.0, 51.0, 51.0, 51.0])
    assert apart == 1
    assert noise == pytest.approx(3 * math.sqrt(2 * NormalDist(0, 0.5).variance / 4))


def test_the_drawn_set_says_what_is_drawn(tmp_path: Path) -> None:
    module = load("gpu_agreement")
    drawn = module.draw_set(tmp_path / "set", 40)
    assert {pair.split for pair in drawn.pairs} == {"train", "val"}
    for pair in drawn.pairs:
        _, colour, shape, _, ground, _, _, place, *_ = pair.captions[0].split()
        pixels = pair.image.pixels(128).astype(float)
        left, top = (np.array(module.PLACES[place]) * 128).round().astype(int)
        inside = pixels[top + 6, left + 12 : left + 28] if shape == "bar" else pixels[top + 20, left + 12 : left + 28]
        assert np.abs(inside - module.COLOURS[colour]).max() < 3, pair.captions[0]
        assert np.abs(pixels[-4:, -4:].mean((0, 1)) - module.GROUND[ground]).max() < 20


def test_the_script_for_a_gpu_refuses_what_it_does_not_know() -> None:
    done = subprocess.run(["bash", FOLDER / "gpu.sh", "--nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--nonsense" in done.stderr
