"""Unwrapped extents: bounds that run on beyond 180 degrees where a footprint crosses the antimeridian."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

_MIN_GAP_DEGREES = 1e-6
"""Parts cut at one meridian differ by rounding there; a gap that counts is wider."""


def extent(geometry: BaseGeometry) -> tuple[float, float, float, float]:
    """Compute unwrapped bounds: `xmin` in -180..180; `xmax` exceeds 180 for a geometry cut at the antimeridian.

    A geometry whose parts leave no meridian free, as one over a pole, has the whole circle: -180, 180.
    """
    xmin, ymin, xmax, ymax = geometry.bounds
    parts = shapely.bounds(shapely.get_parts(geometry))
    if xmin == -180 and xmax == 180 and len(parts) > 1:
        west = np.sort(parts[:, 0])[1:]
        east_so_far = np.maximum.accumulate(parts[parts[:, 0].argsort(), 2])[:-1]  # of all parts before each
        widest = int(np.argmax(west - east_so_far))
        if west[widest] > east_so_far[widest] + _MIN_GAP_DEGREES:
            return float(west[widest]), ymin, float(east_so_far[widest]) + 360, ymax
    return xmin, ymin, xmax, ymax


def block_bounds(extents: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Compute the bounds of each block of `size` consecutive extents, of (n, 4) extents."""
    starts = np.arange(0, len(extents), size)
    lower = np.minimum.reduceat(extents[:, :2], starts)
    return np.hstack([lower, np.maximum.reduceat(extents[:, 2:], starts)])
