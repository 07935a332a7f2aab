"""Charts of a report, as SVG and PNG: tiles where they lie, and tiles where their vectors lie."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLOURS = (
    "#2ca02c", "#ff7f0e", "#1f77b4", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#d62728", "#7f7f7f",
)  # fmt: skip
"""One for each of the most frequent categories; the rest share the last."""
MAP_PX, SCATTER_PX = 480, 480
_MARGIN_PX = 12


def colours_of(counts: Mapping[str, int]) -> dict[str, str]:
    """Give each category a colour, the most frequent first; beyond the tenth they share a grey."""
    names = sorted(counts, key=lambda name: (-counts[name], name))
    return {name: COLOURS[min(n, len(COLOURS) - 1)] for n, name in enumerate(names)}


def key(colours: Mapping[str, str]) -> str:
    """Make the legend of the colours."""
    entries = {name: colour for name, colour in colours.items() if colour != COLOURS[-1]}
    rest = len(colours) - len(entries)
    entries |= {f"{rest} more" if rest > 1 else name: COLOURS[-1] for name in list(colours)[len(entries) :][:1]}
    square = '<svg width="11" height="11" aria-hidden="true"><rect width="11" height="11" rx="2" fill="{}"/></svg>'
    spans = "".join(f"<span>{square.format(c)}{html.escape(name)}</span>" for name, c in entries.items())
    return f'<div class="key">{spans}</div>'


def draw_map(boxes: NDArray[np.float64], colours: Sequence[str]) -> bytes:
    """Draw the extents of tiles on an equirectangular plane that is true to scale in their middle.

    Args:
        boxes: west, south, east, north in degrees, (n, 4); east may exceed 180.
        colours: of each, as #rrggbb.

    Returns:
        A PNG, whose longer side is `MAP_PX`.
    """
    from PIL import Image, ImageDraw

    west, south = boxes[:, 0].min(), boxes[:, 1].min()
    east, north = boxes[:, 2].max(), boxes[:, 3].max()
    shrink = max(np.cos(np.radians((south + north) / 2)), 0.01)
    scale = (MAP_PX - 2 * _MARGIN_PX) / max((east - west) * shrink, north - south, 1e-9)
    size = [int(np.ceil(side * scale)) + 2 * _MARGIN_PX for side in ((east - west) * shrink, north - south)]
    chart = Image.new("RGB", (size[0], size[1]), "#eef2f5")
    pen = ImageDraw.Draw(chart)
    left, right = ((boxes[:, n] - west) * shrink * scale + _MARGIN_PX for n in (0, 2))
    top, bottom = ((north - boxes[:, n]) * scale + _MARGIN_PX for n in (3, 1))
    edged = float(np.median(right - left)) > 6  # smaller ones would be nothing but edge
    for x0, y0, x1, y1, colour in zip(left, top, right, bottom, colours, strict=True):
        pen.rectangle((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)), colour, "#ffffff" if edged else None)
    buffer = io.BytesIO()
    chart.save(buffer, "PNG")
    return buffer.getvalue()


def scatter(points: NDArray[np.float64], colours: Sequence[str], names: Sequence[str]) -> str:
    """Draw points as SVG, named for the mouse.

    Args:
        points: (n, 2).
        colours: of each, as #rrggbb.
        names: of each.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    at = _MARGIN_PX + (points - low) / np.maximum(high - low, 1e-12) * (SCATTER_PX - 2 * _MARGIN_PX)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{SCATTER_PX - y:.1f}" r="3" fill="{colour}" fill-opacity="0.7">'
        f"<title>{html.escape(name)}</title></circle>"
        for (x, y), colour, name in zip(at, colours, names, strict=True)
    )
    return (
        f'<svg width="{SCATTER_PX}" height="{SCATTER_PX}" viewBox="0 0 {SCATTER_PX} {SCATTER_PX}" role="img"'
        f' aria-label="tiles by their vectors"><rect width="100%" height="100%" fill="#eef2f5"/>{marks}</svg>'
    )


def principal_plane(vectors: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], float]:
    """Project vectors (n, dim) on their two principal components; return (n, 2) and the share of variance they hold."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    total = float((values**2).sum())
    plane = left[:, :2] * values[:2]
    if plane.shape[1] < 2:
        plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
    return plane, float((values[:2] ** 2).sum()) / total if total else 1.0
