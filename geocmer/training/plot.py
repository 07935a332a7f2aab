"""A chart of a training run: loss and validation recall by epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._files import atomic_path
from ..errors import InputError

_WIDTH, _HEIGHT = 1200, 520
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 56, 24, 56
"""Margins of a panel, pixels: for the ticks, the title, nothing, the axis label."""

TEXT_COLOUR, GRID_COLOUR = (40, 40, 40), (222, 222, 222)
BLUE = (31, 119, 180)
_LINE_COLOURS = (BLUE, (214, 96, 12), (44, 140, 60))


def draw(metrics: Path, figure: Path) -> None:
    """Draw `metrics.jsonl` of a training run as a PNG: the loss, and validation figures with the kept epoch marked.

    Drawn with Pillow: two line charts do not need a plotting library.

    Args:
        metrics: a line for each epoch, with `epoch`, `loss`, `best`, and the figures of one set (`mR`, `i2t` and `t2i`,
            or `accuracy`) or of several (`mean` and `sets`).
        figure: the PNG to write.

    Raises:
        InputError: there is no such file, or it has no epoch.
    """
    from PIL import Image, ImageDraw

    try:
        epochs = [json.loads(line) for line in metrics.read_text().splitlines()]
        number = [int(e["epoch"]) + 1 for e in epochs]
        figures = _transpose([_validation_figures(e) for e in epochs])
        loss = {"loss": [float(e["loss"]) for e in epochs]}
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"{metrics} is not the record of a training run ({error}); train first") from error
    if not epochs:
        raise InputError(f"{metrics} has no epoch yet; train first")
    kept = max((n for n, e in zip(number, epochs, strict=True) if e["best"]), default=None)
    chart = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    pen = ImageDraw.Draw(chart)
    half = _WIDTH // 2
    _panel(pen, 0, half, "training loss", number, loss, None)
    _panel(pen, half, _WIDTH, "validation, %", number, figures, kept)
    with atomic_path(figure) as draft:
        chart.save(draft, "PNG")


def _validation_figures(epoch: dict[str, Any]) -> dict[str, float]:
    """Choose what is drawn of an epoch: a figure and its parts, or the mean over the sets and the first two of them."""
    if "sets" in epoch:
        first = list(epoch["sets"].items())[: len(_LINE_COLOURS) - 1]
        return {"mean of all sets": float(epoch["mean"]), **{name: _figure(of_set) for name, of_set in first}}
    if "accuracy" in epoch:
        return {"accuracy": float(epoch["accuracy"])}
    parts = {"image to text R@10": float(epoch["i2t"][2]), "text to image R@10": float(epoch["t2i"][2])}
    return {"mR": float(epoch["mR"]), **parts}


def _figure(of_set: dict[str, Any]) -> float:
    return float(of_set["mR"] if "mR" in of_set else of_set["accuracy"])


def _transpose(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _panel(
    pen: Any, left: int, right: int, title: str, epochs: list[int], lines: dict[str, list[float]], kept: int | None
) -> None:
    x0, x1, y0, y1 = left + _LEFT, right - _RIGHT, _HEIGHT - _BOTTOM, _TOP
    finite = [v for values in lines.values() for v in values if math.isfinite(v)] or [0.0]
    low, high, ticks = _axis(min(finite), max(finite))

    def at(epoch: float, value: float) -> tuple[float, float]:
        along = (epoch - epochs[0]) / max(1, epochs[-1] - epochs[0])
        return x0 + along * (x1 - x0), y0 + (value - low) / (high - low) * (y1 - y0)

    pen.text((x0, 14), title, TEXT_COLOUR, font(20))
    for tick in ticks:
        y = at(epochs[0], tick)[1]
        pen.line([(x0, y), (x1, y)], GRID_COLOUR)
        pen.text((x0 - 8, y), f"{tick:g}", TEXT_COLOUR, font(14), anchor="rm")
    for epoch in _epoch_ticks(epochs):
        x = at(epoch, low)[0]
        pen.line([(x, y0), (x, y0 + 4)], TEXT_COLOUR)
        pen.text((x, y0 + 8), str(epoch), TEXT_COLOUR, font(14), anchor="ma")
    pen.text(((x0 + x1) / 2, _HEIGHT - 8), "epoch", TEXT_COLOUR, font(14), anchor="md")
    pen.line([(x0, y1), (x0, y0), (x1, y0)], TEXT_COLOUR)
    if kept is not None:
        x = at(kept, low)[0]
        pen.line([(x, y1), (x, y0)], (120, 120, 120))
        anchor, offset = ("ra", -5) if x > (x0 + x1) / 2 else ("la", 5)
        pen.text((x + offset, y0 - 22), f"kept: epoch {kept}", (90, 90, 90), font(14), anchor=anchor)
    legend_x = x0
    for (name, values), colour in zip(lines.items(), _LINE_COLOURS, strict=False):
        points = [at(e, v) for e, v in zip(epochs, values, strict=True) if math.isfinite(v)]
        pen.line(points, colour, 2, joint="curve")
        for x, y in points:
            pen.ellipse([x - 2.5, y - 2.5, x + 2.5, y + 2.5], colour)
        if len(lines) > 1:
            pen.line([(legend_x, 46), (legend_x + 22, 46)], colour, 3)
            pen.text((legend_x + 28, 46), name, TEXT_COLOUR, font(14), anchor="lm")
            legend_x += 28 + round(pen.textlength(name, font(14))) + 24


def _axis(minimum: float, maximum: float) -> tuple[float, float, list[float]]:
    """Choose an axis from one round number to another, with three to seven round ticks."""
    span = maximum - minimum
    if span <= 1e-9 * max(abs(minimum), abs(maximum)):  # equal but for rounding: no step between them can be drawn
        span = abs(maximum)
    span = span if span > 1e-9 else 1.0
    step = 10 ** math.floor(math.log10(span))
    step = next(s for s in (step / 5, step / 2, step, step * 2) if span / s <= 6)
    first, last = math.floor(minimum / step), math.ceil(maximum / step)
    last += first == last
    return first * step, last * step, [round(i * step, 10) for i in range(first, last + 1)]


def _epoch_ticks(epochs: Sequence[int]) -> list[int]:
    """Choose at most eight of the epochs, evenly."""
    step = max(1, math.ceil(len(epochs) / 8))
    return list(epochs)[::step]


def font(size: int) -> Any:
    """Load the font of charts."""
    from PIL import ImageFont

    return ImageFont.load_default(size)
