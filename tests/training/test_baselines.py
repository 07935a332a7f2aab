"""Baselines on real towers of random weights: they start where the towers are, train only what they say, and learn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_clip, tiny_pair
from torch.nn.functional import normalize

from geocmer.datasets.pairs import Pair, PairSet
from geocmer.errors import InputError
from geocmer.models.backbone import Backbone
from geocmer.training.baselines import Baseline, step_loss, train_baseline
from geocmer.training.config import BASELINE_RATES, TrainConfig, read_settings
from geocmer.training.ensemble import train
from geocmer.training.loop import Epoch

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200), "white": (230, 230, 230)}
TEXTS = ["red field", "a green area", "blue"]


@dataclass(frozen=True)
class Plain:
    """A picture of one colour."""

    colour: tuple[int, ...]

    def pixels(self, size: int) -> np.ndarray:
        return np.full((size, size, 3), self.colour, np.uint8)

    def digest(self) -> bytes:
        return bytes([*self.colour, *[0] * 13])


PAIRS = PairSet(
    "colours",
    tuple(
        Pair(Plain(colour), (f"{name} field", f"a {name} area"), split)
        for split in ("train", "train", "train", "val")
        for name, colour in COLOURS.items()
    ),
)


@pytest.fixture(params=["clip", "pair"])
def towers(request: pytest.FixtureRequest, tmp_path: Path) -> Backbone:
    return tiny_clip() if request.param == "clip" else tiny_pair(tmp_path)


def _pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("method", BASELINE_RATES)
def test_it_starts_with_the_vectors_of_the_towers(method: str) -> None:
    towers = tiny_clip()
    model = Baseline(towers, method).train()
    torch.testing.assert_close(model.image(_pixels()), normalize(towers.image(_pixels()).pooled, dim=-1))
    torch.testing.assert_close(model.text(TEXTS), normalize(towers.text(TEXTS).pooled, dim=-1))


@pytest.mark.parametrize("method", BASELINE_RATES)
def test_it_trains_what_it_says_and_leaves_the_backbone_alone(towers: Backbone, method: str) -> None:
    before = [p.clone() for p in towers.trainable_module().parameters()]
    model = Baseline(towers, method).train()
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    inside = sum(p.numel() for p in towers.trainable_module().parameters())
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    for _ in range(2):  # what starts at 0 lets gradients through to what lies before it only after a step
        optimiser.zero_grad()
        step_loss(model, _pixels(), TEXTS, 0.1).backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        optimiser.step()
    silent = {name for name, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())}
    if method == "full":
        assert trained >= inside
        assert len(silent) < 0.1 * sum(1 for _ in model.parameters())  # a pooler that is not used, and the like
        assert not frozen
    else:
        assert trained < inside
        assert not silent
    for name, p in model.named_parameters():
        if name in frozen:  # peft adds its update to the weights of an attention, and takes it off again
            torch.testing.assert_close(p, frozen[name], rtol=0, atol=1e-6 if method == "lora" else 0)
    for old, new in zip(before, towers.trainable_module().parameters(), strict=True):
        torch.testing.assert_close(old, new, rtol=0, atol=0)


@pytest.mark.parametrize("method", BASELINE_RATES)
def test_its_loop_learns_and_keeps_a_record(towers: Backbone, method: str, tmp_path: Path) -> None:
    cfg = TrainConfig(method=method, epochs=5, batch=4, learning_rate=3e-3, views=2, dim=8, warmup=0.0, smoothing=0.0)
    seen: list[Epoch] = []
    _, best = train_baseline(PAIRS, towers, tmp_path / "out", cfg, seen.append)
    assert min(e.loss for e in seen[-2:]) < seen[0].loss
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(5))
    assert max(line["mR"] for line in lines) == pytest.approx(best.mean, abs=0.01)


def test_methods_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'magic' is unknown"):
        Baseline(tiny_clip(), "magic")
    with pytest.raises(InputError, match="trains the towers themselves"):
        train(PAIRS, tiny_clip(), tmp_path, TrainConfig(method="lora"))
    assert read_settings(given={"method": "full"}).learning_rate == BASELINE_RATES["full"]
    assert read_settings(given={"method": "full", "learning_rate": 0.5}).learning_rate == 0.5
    assert read_settings(given={"method": "linear"}).learning_rate == TrainConfig().learning_rate
