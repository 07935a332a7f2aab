"""What a partner counts by its distance and its direction.

w = 2 ^ -(d / half)^2 up to REACH * half, else 0        or, where the query gives a distance, 1 up to it, else 0
w = 0 for a direction unless the azimuth from the partner's centre to the hit's lies within 45 degrees of it
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._types import Float64s
from .kinds import REACH, SECTOR_DEGREES
from .query import Clause


def max_distance(clause: Clause) -> float:
    """Compute the metres beyond which a partner does not count."""
    return clause.metres if clause.metres is not None else REACH * _half(clause)


def weight(clause: Clause, metres: Float64s) -> Float64s:
    """Compute what partners at these distances (n,) count, 0..1, never rising with the distance."""
    if clause.metres is not None:
        return (metres <= clause.metres).astype(np.float64)
    half = _half(clause)
    return np.where(metres <= REACH * half, 2.0 ** -np.square(metres / half), 0.0)


def in_sector(clause: Clause, azimuths: Float64s) -> NDArray[np.bool_]:
    """Tell which azimuths (n,), degrees, from partner to hit, lie in the direction that a clause has."""
    inside: NDArray[np.bool_] = (azimuths - (clause.kind.azimuth or 0.0) + SECTOR_DEGREES) % 360 < 2 * SECTOR_DEGREES
    return inside


def _half(clause: Clause) -> float:
    if clause.kind.half_metres is None:
        raise ValueError(f"a clause {clause.kind.name!r} needs a distance")
    return clause.kind.half_metres
