"""The report on a training run: its settings, its curves, and the figures of the epoch that was kept."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ..export.report.page import Page, figure, image, paragraph, table
from .plot import draw

_SETTINGS = "config.json"


def run_report(run: Path, title: str) -> Page:
    """Describe a training run for people.

    Args:
        run: folder of the run, as `geocmer train` leaves it, finished or not.
        title: of the page.

    Raises:
        InputError: it is no run, or it has no epoch yet.
    """
    metrics = run / "metrics.jsonl"
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder) / "run.png"
        draw(metrics, chart)
        curves = chart.read_bytes()
    epochs = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    best = max((epoch for epoch in epochs if epoch["best"]), key=lambda epoch: epoch["epoch"], default=epochs[-1])
    page = Page(title, f"{len(epochs)} epochs; epoch {best['epoch'] + 1} is the best on validation data.")
    page.add("Curves", figure(image(curves, "png", "loss and validation figures by epoch"), "By epoch."))
    page.add("The best epoch", table(("figure", "value"), _flat({k: v for k, v in best.items() if k != "best"})))
    for name in ("README.md", "recipe.toml"):
        if (run / name).is_file():
            text = (run / name).read_text(encoding="utf-8", errors="replace")
            page.add(name, *(paragraph(line) for line in text.splitlines() if line.strip()))
    return page


def _flat(record: dict[str, Any], prefix: str = "") -> list[tuple[str, str | float]]:
    """Write nested figures as rows, `sets.ucm.mR`; lists as one text."""
    rows: list[tuple[str, str | float]] = []
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            rows += _flat(value, f"{name}.")
        elif isinstance(value, list):
            rows.append((name, " / ".join(f"{one:.4g}" if isinstance(one, float) else str(one) for one in value)))
        else:
            rows.append((name, value if isinstance(value, float) else str(value)))
    return rows
