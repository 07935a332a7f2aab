"""The report on a training run: its settings, its curves, and the figures of the epoch that was kept."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..export.report.page import Page, figure, image, paragraph, table
from .plot import draw

METRICS = "metrics.jsonl"


def is_run(folder: Path) -> bool:
    """Tell whether a folder is that of a training run, finished or not."""
    return (folder / METRICS).is_file() or any(folder.glob(f"member-*/{METRICS}"))


def run_report(run: Path, title: str) -> Page:
    """Describe a training run for people.

    Args:
        run: folder of the run, as `geocmer train` leaves it, finished or not.
        title: of the page.

    Raises:
        InputError: it is no run, or it has no epoch yet.
    """
    together = _lines(run / METRICS)
    if together and "epoch" in together[0]:
        folders, together = [run], []
    else:
        folders = sorted({path.parent for path in run.glob(f"member-*/{METRICS}")}, key=lambda f: (len(f.name), f.name))
    # a member that is not begun has an empty record
    folders = [folder for folder in folders if _lines(folder / METRICS)] or folders[:1] or [run]
    sections = [_curves(folder, f" of {folder.name}" if folder != run else "") for folder in folders]
    page = Page(title, "; ".join(lead for lead, _ in sections) + ".")
    for one in together:
        page.add("All members together", table(("figure", "value"), _flat(one)))
    for _, parts in sections:
        for heading, part in parts.items():
            page.add(heading, part)
    for name in ("README.md", "recipe.toml"):
        if (run / name).is_file():
            text = (run / name).read_text(encoding="utf-8", errors="replace")
            page.add(name, *(paragraph(line) for line in text.splitlines() if line.strip()))
    return page


def _lines(metrics: Path) -> list[dict[str, Any]]:
    if not metrics.is_file():
        return []
    try:
        return [json.loads(line) for line in metrics.read_text("utf-8").splitlines()]
    except ValueError as error:
        raise InputError(f"{metrics} is not the record of a training run ({error}); train again") from error


def _curves(folder: Path, whose: str) -> tuple[str, dict[str, str]]:
    """Describe the epochs of a run or of one of its members: in a line, and as parts of a page by their headings."""
    with tempfile.TemporaryDirectory() as temporary:
        chart = Path(temporary) / "run.png"
        draw(folder / METRICS, chart)
        curves = image(chart.read_bytes(), "png", "loss and validation figures by epoch")
    epochs = _lines(folder / METRICS)
    best = max((epoch for epoch in epochs if epoch["best"]), key=lambda epoch: epoch["epoch"], default=epochs[-1])
    figures = _flat({name: value for name, value in best.items() if name != "best"})
    lead = f"{len(epochs)} epochs{whose}, of which epoch {best['epoch'] + 1} is the best on validation data"
    parts = {
        f"Curves{whose}": figure(curves, "By epoch."),
        f"The best epoch{whose}": table(("figure", "value"), figures),
    }
    return lead, parts


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
