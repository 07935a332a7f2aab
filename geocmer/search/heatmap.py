"""Heat maps: how well each place of a tile answers the question, drawn over its pixels, with the box of its spot.

Grey is worth no more than the mean of the tile, or shows no ground; see `spot`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._files import write_atomically
from ..errors import InputError
from ..imagery.images import resize_to_square
from .results import Hit
from .spot import Spot

if TYPE_CHECKING:
    from PIL.Image import Image

_TILE_PX = 448
"""Side of a tile in the picture."""
_MARGIN_PX, _HEADER_PX, _FOOTER_PX, _RAMP_PX = 16, 40, 30, 14
_TEXT_COLOUR, _BOX_COLOUR = (40, 40, 40), (214, 39, 40)
_RAMP_COLOURS = np.array([(13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33)], np.float64)
"""Dark blue to yellow, of even steps in lightness, so that it reads in grey too (matplotlib's plasma, five of it)."""


def draw_heatmap(pixels: NDArray[np.uint8], spot: Spot, title: str = "") -> bytes:
    """Draw a PNG: the tile with the box of its spot, the tile under its evidence, and what the colours mean.

    Args:
        pixels: uint8 RGB (size, size, 3).
        spot: where in it the question is answered.
        title: one line above.
    """
    from PIL import Image, ImageDraw

    tile = resize_to_square(pixels, _TILE_PX)
    strength = _strength(spot, _TILE_PX)
    mean, peak = float(np.nanmean(spot.evidence)), float(np.nanmax(spot.evidence))
    overlay = _tinted(0.8 * tile.mean(axis=2), strength)
    width, height = 2 * _TILE_PX + 3 * _MARGIN_PX, _HEADER_PX + _TILE_PX + _FOOTER_PX + _RAMP_PX + 2 * _MARGIN_PX
    page = Image.new("RGB", (width, height), "white")
    page.paste(Image.fromarray(tile), (_MARGIN_PX, _HEADER_PX))
    page.paste(Image.fromarray(overlay), (2 * _MARGIN_PX + _TILE_PX, _HEADER_PX))
    _legend(page, 2 * _MARGIN_PX + _TILE_PX, _HEADER_PX + _TILE_PX + _MARGIN_PX, mean, peak)
    draw = ImageDraw.Draw(page)
    row, col, height, width = (round(side * _TILE_PX / len(pixels)) for side in spot.window)
    box = _MARGIN_PX + col, _HEADER_PX + row, _MARGIN_PX + col + width - 1, _HEADER_PX + row + height - 1
    draw.rectangle(box, outline=_BOX_COLOUR, width=3)
    draw.text((_MARGIN_PX, 10), title, _TEXT_COLOUR, _font(18))
    note = f"tile, {pixels.shape[1]} x {pixels.shape[0]} pixels"
    draw.text((_MARGIN_PX, _HEADER_PX + _TILE_PX + _MARGIN_PX), note, _TEXT_COLOUR, _font(14))
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


def heatmap_overlay(spot: Spot, side: int) -> NDArray[np.uint8]:
    """Draw a heat map to be laid over a tile: RGBA (side, side, 4), clear where a place is worth no more than the mean.

    Args:
        spot: where in the tile the question is answered.
        side: of the tile, pixels.
    """
    strength = _strength(spot, side)
    return np.dstack([_ramp(strength), 255 * np.minimum(1, 3 * strength)]).astype(np.uint8)


def _strength(spot: Spot, side: int) -> NDArray[np.float64]:
    """Scale the evidence from the mean of the tile, 0, to the best place, 1; (side, side)."""
    mean, peak = float(np.nanmean(spot.evidence)), float(np.nanmax(spot.evidence))
    above = np.nan_to_num((spot.evidence - mean) / max(peak - mean, 1e-12))
    return np.clip(_resize(np.clip(above, 0, 1), side), 0, 1)


def write_heatmaps(hits: Iterable[Hit], folder: Path) -> Iterator[Path]:
    """Write the heat map of each hit, its pixels cut from its scene again, as `RANK-ID.png` into a folder.

    Yields:
        The files, as they are written.

    Raises:
        InputError: a scene is gone or has changed, a hit has no spot, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for hit in hits:
            if hit.spot is None:
                raise InputError(f"tile {hit.id} has no spot to draw; search with --locate (in Python: locate=True)")
            pixels = np.asarray(hit.image())
            score = "" if hit.score is None else f"   score {hit.score:.3f}"
            where = f"{Path(hit.uri or hit.scene_id[:8]).name}, row {hit.row}, column {hit.col}"
            page = draw_heatmap(pixels, hit.spot, f"{hit.rank}.   {where}   {hit.category or ''}{score}")
            path = folder / f"{hit.rank:03d}-{hit.id[:8]}.png"
            write_atomically(path, page)
            yield path
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot write heat maps to {folder}: {reason}; name another folder") from error


def _legend(page: Image, left: int, top: int, mean: float, peak: float) -> None:
    from PIL import Image as PilImage
    from PIL import ImageDraw

    ramp = np.repeat(_tinted(np.full(_TILE_PX, 110.0), np.linspace(0, 1, _TILE_PX))[None], _RAMP_PX, axis=0)
    page.paste(PilImage.fromarray(ramp), (left, top))
    draw = ImageDraw.Draw(page)
    below = top + _RAMP_PX + 6
    draw.text((left, below), f"{mean:.3f}: the mean of the tile", _TEXT_COLOUR, _font(14))
    draw.text((left + _TILE_PX, below), f"{peak:.3f}", _TEXT_COLOUR, _font(14), anchor="ra")


def _tinted(grey: NDArray[np.float64], strength: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Blend grey values 0..255 with the colours of strengths 0..1, (..., 3); background, of strength 0, stays grey."""
    opacity = (0.65 * np.minimum(1, 3 * strength))[..., None]
    tinted: NDArray[np.uint8] = (grey[..., None] * (1 - opacity) + _ramp(strength) * opacity).astype(np.uint8)
    return tinted


def _ramp(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the colours (..., 3) of strengths 0..1."""
    stops = np.linspace(0, 1, len(_RAMP_COLOURS))
    return np.stack([np.interp(strength, stops, _RAMP_COLOURS[:, channel]) for channel in range(3)], axis=-1)


def _resize(grid: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    from PIL import Image

    if grid.shape == (side, side):
        return grid
    grey = Image.fromarray(grid.astype(np.float32))
    return np.asarray(grey.resize((side, side), Image.Resampling.BILINEAR), np.float64)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
