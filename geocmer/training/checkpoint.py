"""A training run on disk: its metrics, and the state from which an interrupted run continues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .._files import atomic_path
from ..errors import InputError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`metrics.jsonl`, one line for each epoch, and `state.pt` until the run is complete.

    Attributes:
        out: folder of the run.
        settings: of the run; one with other settings must not continue it.
    """

    out: Path
    settings: Mapping[str, Any]

    @property
    def state(self) -> Path:
        """File of the state that a run is resumed from."""
        return self.out / "state.pt"

    @property
    def metrics(self) -> Path:
        """File of the figures of each epoch."""
        return self.out / "metrics.jsonl"

    def resume(self, *parts: Any) -> tuple[int, float]:
        """Restore the parts (anything with `load_state_dict`); return the next epoch and the best mR so far.

        Raises:
            InputError: the folder holds an unfinished run with other settings.
        """
        if not self.state.exists():
            self.out.mkdir(parents=True, exist_ok=True)
            self.metrics.write_text("")
            return 0, -1.0
        state = torch.load(self.state, weights_only=True)
        if state["settings"] != dict(self.settings):
            differs = sorted(
                k for k in {*state["settings"], *self.settings} if state["settings"].get(k) != self.settings.get(k)
            )
            raise InputError(
                f"{self.out} holds an unfinished run with other settings ({', '.join(differs)}); remove it or give "
                "another --out"
            )
        for part, saved in zip(parts, state["parts"], strict=True):
            part.load_state_dict(saved)
        # The state is written after the line: a line beyond the state belongs to an epoch that will be run again.
        lines = self.metrics.read_text().splitlines(keepends=True)[: state["epoch"] + 1]
        self.metrics.write_text("".join(lines))
        return state["epoch"] + 1, state["best"]

    def record(self, line: Mapping[str, Any], best: float, *parts: Any) -> None:
        """Append an epoch's figures to the metrics, then save the state after it."""
        with self.metrics.open("a") as file:
            file.write(json.dumps(line) + "\n")
        content = {"settings": dict(self.settings), "epoch": line["epoch"], "best": best}
        with atomic_path(self.state) as draft:
            torch.save({**content, "parts": [part.state_dict() for part in parts]}, draft)

    def finish(self) -> None:
        """Remove the state of a complete run."""
        self.state.unlink()
