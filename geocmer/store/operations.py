"""What the operations of CQL2 mean on numbers, times, texts and geometries (OGC 21-065r2, clauses 7 and 8)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

SHARE_TOLERANCE = 1e-6
"""Shares this near to each other are equal: quotients of pixel counts, summed where a name means several labels."""

COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Period(NamedTuple):
    """Moments or spans of time: first and last microsecond since 1970, UTC, each (n,) or one for all tiles."""

    start: NDArray[np.int64] | np.int64
    end: NDArray[np.int64] | np.int64


def compare_numbers(sign: str, a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float) -> Mask:
    """Compare numbers of which those that differ by no more than a tolerance are equal."""
    equal = np.abs(a - b) <= tolerance
    if sign in ("=", "<>"):
        return equal if sign == "=" else ~equal
    return np.asarray(_SIGNS[sign](a, b) & ~equal if len(sign) == 1 else _SIGNS[sign](a, b) | equal)


def compare_periods(sign: str, a: Period, b: Period) -> Mask:
    """Compare moments with days: a day is all of its moments, so `> DATE(...)` is after its last and `=` within it."""
    if sign in ("=", "<>"):
        meet = (a.start <= b.end) & (a.end >= b.start)
        return np.asarray(meet if sign == "=" else ~meet)
    first, second = {"<": (a.end, b.start), "<=": (a.start, b.end), ">": (a.start, b.end), ">=": (a.end, b.start)}[sign]
    return np.asarray(_SIGNS[sign](first, second))


def compare_texts(sign: str, a: str, b: str) -> bool:
    """Compare texts, in the order of their code points."""
    return bool(_SIGNS[sign](a, b))


def like(pattern: str) -> Callable[[str], bool]:
    """Make a test of texts: `%` stands for any characters, `_` for one, and a backslash takes the next one as it is."""
    parts = re.findall(r"\\.|[\s\S]", pattern, re.DOTALL)
    signs = {"%": ".*", "_": "."}
    whole = "".join(signs.get(part, re.escape(part[-1])) for part in parts)
    matching = re.compile(whole, re.DOTALL).fullmatch
    return lambda text: matching(text) is not None


TEMPORAL: Mapping[str, Callable[[Period, Period], Any]] = {
    "t_after": lambda a, b: a.start > b.end,
    "t_before": lambda a, b: a.end < b.start,
    "t_contains": lambda a, b: (a.start < b.start) & (a.end > b.end),
    "t_disjoint": lambda a, b: (a.end < b.start) | (a.start > b.end),
    "t_during": lambda a, b: (a.start > b.start) & (a.end < b.end),
    "t_equals": lambda a, b: (a.start == b.start) & (a.end == b.end),
    "t_finishedby": lambda a, b: (a.start < b.start) & (a.end == b.end),
    "t_finishes": lambda a, b: (a.start > b.start) & (a.end == b.end),
    "t_intersects": lambda a, b: (a.start <= b.end) & (a.end >= b.start),
    "t_meets": lambda a, b: a.end == b.start,
    "t_metby": lambda a, b: a.start == b.end,
    "t_overlappedby": lambda a, b: (a.start > b.start) & (a.start < b.end) & (a.end > b.end),
    "t_overlaps": lambda a, b: (a.start < b.start) & (a.end > b.start) & (a.end < b.end),
    "t_startedby": lambda a, b: (a.start == b.start) & (a.end > b.end),
    "t_starts": lambda a, b: (a.start == b.start) & (a.end < b.end),
}
"""Relations of times (Allen 1983), by their ends."""

SPATIAL: Mapping[str, Callable[[Any, Any], Any]] = {
    "s_contains": shapely.contains,
    "s_crosses": shapely.crosses,
    "s_disjoint": shapely.disjoint,
    "s_equals": shapely.equals,
    "s_intersects": shapely.intersects,
    "s_overlaps": shapely.overlaps,
    "s_touches": shapely.touches,
    "s_within": shapely.within,
}
"""Relations of geometries (DE-9IM), in degrees."""

ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": np.true_divide,
    "div": lambda a, b: np.trunc(np.true_divide(a, b)),
    "%": np.fmod,
    "^": np.power,
}
"""Of numbers; what is divided by zero is unknown. A quotient of `div` is cut towards 0, a rest has the sign of a."""
