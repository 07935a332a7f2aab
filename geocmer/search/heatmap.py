"""Heat maps of the focus layers: their attention to every position of a tile, drawn over its pixels.

The weights are the picture's own: the focus layers' query is the pooled vector of the tile, not the words searched for.
A position of weight 0 is background that did not enter the tile's vector through the focus layers.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._files import write_atomically
from ..errors import InputError, ModelError
from ..imagery.images import resize_to_square
from ..models.encoder import Encoder
from .results import Hit

if TYPE_CHECKING:
    from PIL.Image import Image

_TILE_PX = 448
"""Side of a tile in the picture."""
_MARGIN_PX, _HEADER_PX, _FOOTER_PX, _RAMP_PX = 16, 40, 30, 14
_TEXT_COLOUR = (40, 40, 40)
_RAMP_COLOURS = np.array([(13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33)], np.float64)
"""Dark blue to yellow, of even steps in lightness, so that it reads in grey too (matplotlib's plasma, five of it)."""


def focus_weights(encoder: Encoder, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute the weights of the positions of a tile, (rows, columns) of the finest tap, mean 1: even attention is 1.

    The mean over heads of each tap; coarser taps are spread over the positions they cover.

    Args:
        encoder: with an adapter that has focus layers.
        pixels: uint8 RGB (size, size, 3).

    Raises:
        ModelError: there are no focus layers.
    """
    import torch

    if encoder.adapter is None or not encoder.adapter.cfg.tap_channels:
        raise ModelError(
            f"{encoder.backbone.spec} has no focus layers to draw; train an adapter with `geocmer train --method cmer`"
        )
    with torch.inference_mode():
        maps = encoder.adapter.focus_maps(encoder.backbone.image(pixels[None]))
    grids = [_square(tap[0].mean(0).float().cpu().numpy().astype(np.float64)) for tap in maps]
    finest = max(len(grid) for grid in grids)
    total = sum(np.asarray(_resize(grid, finest)) / max(grid.sum(), 1e-12) * finest**2 for grid in grids)
    weights: NDArray[np.float64] = np.asarray(total) / len(grids)
    return weights


def draw_heatmap(pixels: NDArray[np.uint8], weights: NDArray[np.float64], title: str = "") -> bytes:
    """Draw a PNG: the tile, the tile under its weights, and what the colours mean.

    Args:
        pixels: uint8 RGB (size, size, 3).
        weights: from `focus_weights`.
        title: one line above.
    """
    from PIL import Image, ImageDraw

    peak = max(float(weights.max()), 1e-12)
    tile = resize_to_square(pixels, _TILE_PX)
    strength = np.clip(_resize(weights / peak, _TILE_PX), 0, 1)
    overlay = _tinted(0.8 * tile.mean(axis=2), strength)
    width, height = 2 * _TILE_PX + 3 * _MARGIN_PX, _HEADER_PX + _TILE_PX + _FOOTER_PX + _RAMP_PX + 2 * _MARGIN_PX
    page = Image.new("RGB", (width, height), "white")
    page.paste(Image.fromarray(tile), (_MARGIN_PX, _HEADER_PX))
    page.paste(Image.fromarray(overlay), (2 * _MARGIN_PX + _TILE_PX, _HEADER_PX))
    _legend(page, 2 * _MARGIN_PX + _TILE_PX, _HEADER_PX + _TILE_PX + _MARGIN_PX, peak)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN_PX, 10), title, _TEXT_COLOUR, _font(18))
    note = f"tile, {pixels.shape[1]} x {pixels.shape[0]} pixels"
    draw.text((_MARGIN_PX, _HEADER_PX + _TILE_PX + _MARGIN_PX), note, _TEXT_COLOUR, _font(14))
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


def focus_overlay(weights: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    """Draw weights to be laid over a tile: RGBA (side, side, 4), clear where they are 0.

    Args:
        weights: from `focus_weights`.
        side: of the tile, pixels.
    """
    strength = np.clip(_resize(weights / max(float(weights.max()), 1e-12), side), 0, 1)
    opacity = 255 * np.minimum(1, 3 * strength)
    return np.dstack([_ramp(strength), opacity]).astype(np.uint8)


def write_heatmaps(encoder: Encoder, hits: Iterable[Hit], folder: Path) -> Iterator[Path]:
    """Write the heat map of each hit, its pixels cut from its scene again, as `RANK-ID.png` into a folder.

    Yields:
        The files, as they are written.

    Raises:
        InputError: a scene is gone or has changed, or nothing can be written there.
        ModelError: the encoder has no focus layers.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for hit in hits:
            pixels = np.array(hit.image())  # a copy: torch warns of arrays that it may not write
            score = "" if hit.score is None else f"   score {hit.score:.3f}"
            where = f"{Path(hit.uri or hit.scene_id[:8]).name}, row {hit.row}, column {hit.col}"
            page = draw_heatmap(
                pixels, focus_weights(encoder, pixels), f"{hit.rank}.   {where}   {hit.category or ''}{score}"
            )
            path = folder / f"{hit.rank:03d}-{hit.id[:8]}.png"
            write_atomically(path, page)
            yield path
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot write heat maps to {folder}: {reason}; name another folder") from error


def _legend(page: Image, left: int, top: int, peak: float) -> None:
    from PIL import Image as Pictures
    from PIL import ImageDraw

    ramp = np.repeat(_tinted(np.full(_TILE_PX, 110.0), np.linspace(0, 1, _TILE_PX))[None], _RAMP_PX, axis=0)
    page.paste(Pictures.fromarray(ramp), (left, top))
    draw = ImageDraw.Draw(page)
    below = top + _RAMP_PX + 6
    draw.text((left, below), "0: background", _TEXT_COLOUR, _font(14))
    draw.text((left + _TILE_PX, below), f"{peak:.1f} times an even share", _TEXT_COLOUR, _font(14), anchor="ra")


def _tinted(grey: NDArray[np.float64], strength: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Blend grey values 0..255 with the colours of strengths 0..1, (..., 3); background, of strength 0, stays grey."""
    opacity = (0.65 * np.minimum(1, 3 * strength))[..., None]
    tinted: NDArray[np.uint8] = (grey[..., None] * (1 - opacity) + _ramp(strength) * opacity).astype(np.uint8)
    return tinted


def _ramp(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the colours (..., 3) of strengths 0..1."""
    stops = np.linspace(0, 1, len(_RAMP_COLOURS))
    return np.stack([np.interp(strength, stops, _RAMP_COLOURS[:, channel]) for channel in range(3)], axis=-1)


def _square(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    side = math.isqrt(len(weights))
    return weights.reshape(side, -1)


def _resize(grid: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    from PIL import Image

    if grid.shape == (side, side):
        return grid
    picture = Image.fromarray(grid.astype(np.float32))
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR), np.float64)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
