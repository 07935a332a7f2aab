"""Unwrapped extents: bounds that run on beyond 180 degrees where a footprint crosses the antimeridian."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

_SLIT = 1e-6
"""Degrees. Parts cut at one meridian differ by rounding there; a gap that counts is wider."""


def extent(geometry: BaseGeometry) -> tuple[float, float, float, float]:
    """Unwrapped bounds: `xmin` in -180..180; `xmax` exceeds 180 for a geometry cut at the antimeridian.

    A geometry whose parts leave no meridian free, as one over a pole, has the whole circle: -180, 180.
    """
    xmin, ymin, xmax, ymax = geometry.bounds
    parts = shapely.bounds(shapely.get_parts(geometry))
    if xmin == -180 and xmax == 180 and len(parts) > 1:
        west = np.sort(parts[:, 0])[1:]
        reach = np.maximum.accumulate(parts[parts[:, 0].argsort(), 2])[:-1]  # how far east all parts before it go
        widest = int(np.argmax(west - reach))
        if west[widest] > reach[widest] + _SLIT:
            return float(west[widest]), ymin, float(reach[widest]) + 360, ymax
    return xmin, ymin, xmax, ymax


def runs(extents: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Extents around each `size` of (n, 4) extents that follow each other."""
    starts = np.arange(0, len(extents), size)
    least = np.minimum.reduceat(extents[:, :2], starts)
    return np.hstack([least, np.maximum.reduceat(extents[:, 2:], starts)])
