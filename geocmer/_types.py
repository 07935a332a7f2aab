"""The types that several packages share, one meaning each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, total) while something long goes on."""

Float64s: TypeAlias = NDArray[np.float64]
"""An array of float64 of any shape."""

Rows: TypeAlias = NDArray[np.intp]
"""Positions in an array or a table, (n,)."""
