"""A training run on disk: its metrics, and the state from which an interrupted run continues."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .._files import naming_disk_errors, write_atomically
from ..errors import InputError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`metrics.jsonl`, one line for each epoch, and `state.pt` until the run is complete.

    Attributes:
        out: folder of the run.
        settings: of the run, and a hash of its `data`; one that differs in any must not continue it.
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
            InputError: the folder holds an unfinished run with other settings or other data, its state is damaged, or
                the folder cannot be written.
        """
        with naming_disk_errors(self.out, "--out"):
            if not self.state.exists():
                self.out.mkdir(parents=True, exist_ok=True)
                self.metrics.write_text("")
                return 0, -1.0
            return self._restore(parts)

    def _restore(self, parts: Sequence[Any]) -> tuple[int, float]:
        try:
            state = torch.load(self.state, weights_only=True)
            settings = dict(state["settings"])
        except Exception as error:  # torch, pickle and zip raise many unrelated types on damaged files
            raise self._damaged(error) from error
        if settings != dict(self.settings):
            differs = sorted(k for k in {*settings, *self.settings} if settings.get(k) != self.settings.get(k))
            what = "trained on other data" if differs == ["data"] else f"with other settings ({', '.join(differs)})"
            raise InputError(f"{self.out} holds an unfinished run {what}; remove it or give another --out")
        try:
            for part, saved in zip(parts, state["parts"], strict=True):
                part.load_state_dict(saved)
            epoch, best = int(state["epoch"]), float(state["best"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise self._damaged(error) from error
        # The state is written after the line: a line beyond the state belongs to an epoch that will be run again.
        lines = self.metrics.read_text().splitlines(keepends=True)[: epoch + 1] if self.metrics.exists() else []
        self.metrics.write_text("".join(lines))
        return epoch + 1, best

    def _damaged(self, error: Exception) -> InputError:
        reason = str(error).split("\n", 1)[0][:100]
        return InputError(f"{self.state} cannot be resumed from ({reason}); remove it to start the run anew")

    def record(self, line: Mapping[str, Any], best: float, *parts: Any) -> None:
        """Append an epoch's figures to the metrics, then save the state after it.

        Raises:
            InputError: the disk is full, or the folder cannot be written.
        """
        content = {"settings": dict(self.settings), "epoch": line["epoch"], "best": best}
        buffer = io.BytesIO()  # torch's own error on a full disk names neither the file nor the reason
        torch.save({**content, "parts": [part.state_dict() for part in parts]}, buffer)
        with naming_disk_errors(self.out, "--out"):
            with self.metrics.open("a") as file:
                file.write(json.dumps(line) + "\n")
            write_atomically(self.state, buffer.getvalue())

    def finish(self) -> None:
        """Remove the state of a complete run."""
        self.state.unlink()
