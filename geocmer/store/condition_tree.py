"""The tree of a condition -> a test of tiles. Types are checked as it is read, so nothing wrong waits for a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from ..errors import InputError
from .condition_tests import (
    Truth,
    joined,
    time_bounds,
    truth_of_categories,
    truth_of_known,
    truth_of_missing,
    truth_of_place,
    truth_of_times,
)
from .condition_values import FIRST, LAST, Number, Place, Text, Time, Value, acquired, read_moment, read_place
from .cql2_text import MAX_DEPTH, Node, condition_error
from .operations import (
    ARITHMETIC,
    COMPARISONS,
    SHARE_TOLERANCE,
    SPATIAL,
    TEMPORAL,
    Period,
    compare_numbers,
    compare_periods,
    compare_texts,
    like,
)
from .tile_columns import TileView

ATTRIBUTES = ("category", "datetime", "gsd", "size", "geometry")
"""What a condition can name beside land-cover classes."""


def _fixed(period: Period) -> Time:
    """Make a time that the condition gives, the same for every tile."""
    return Time(lambda _: (period, np.True_), period)


class Reader:
    """Reads one condition; collects what it names."""

    def __init__(self, text: str) -> None:
        self.text, self.depth = text, 0
        self.attributes: set[str] = set()
        self.classes: list[str] = []
        self.categories: list[str] = []

    def error(self, what: str) -> InputError:
        """Make an error of this condition."""
        return condition_error(self.text, what)

    def truth(self, node: Node) -> Truth:
        """Read what is true or false.

        Raises:
            InputError: it is something else, or cannot be asked of tiles.
        """
        self.depth += 1
        if self.depth > 4 * MAX_DEPTH:
            raise self.error("is nested too deep")
        try:
            return self._truth(node)
        except InputError:
            raise
        except (ValueError, OverflowError, shapely.GEOSException) as error:
            raise self.error(str(error)) from None
        finally:
            self.depth -= 1

    def _truth(self, node: Node) -> Truth:
        if isinstance(node, bool):
            return Truth(lambda view: (np.full(len(view.rows), node), np.full(len(view.rows), not node)))
        op, args = self._operation(node)
        if op in ("and", "or"):
            return joined(op, [self.truth(arg) for arg in _flat(op, args)])
        if op == "not":
            inner = self.truth(args[0])
            return Truth(lambda view: inner.decide(view)[::-1])
        if op == "isNull":
            return self._unknown(args[0])
        if op == "between":
            value, low, high = args
            return joined("and", [self._compared(">=", value, low), self._compared("<=", value, high)])
        if op == "in":
            return joined("or", [self._compared("=", args[0], one) for one in args[1]])
        if op == "like":
            return self._like(*args)
        if op in COMPARISONS:
            return self._compared(op, *args)
        if op in TEMPORAL:
            return self._temporal(op, *args)
        if op in SPATIAL:
            return self._spatial(op, *args)
        raise self.error(f"{op!r} cannot be asked of tiles")

    def _operation(self, node: Node) -> tuple[str, list[Node]]:
        if isinstance(node, dict) and "op" in node:
            return node["op"], node["args"]
        if isinstance(node, dict) and "property" in node:
            raise self.error(f"{node['property']!r} needs a comparison")
        raise self.error(f"{_shown(node)} is neither true nor false")

    # -- values

    def value(self, node: Node) -> Value:
        """Read a number, a text, a time or a geometry.

        Raises:
            InputError: it is none of them.
        """
        if node is None:
            raise self.error("nothing is equal to NULL, nor unequal; write for instance 'category IS NULL'")
        if isinstance(node, int | float) and not isinstance(node, bool):
            number = np.asarray(node, np.float64)
            return Number(lambda _: number, literal=float(node))
        if isinstance(node, str):
            return Text(node)
        if isinstance(node, dict) and "property" in node:
            return self._property(str(node["property"]))
        if isinstance(node, dict) and ("date" in node or "timestamp" in node):
            return self._moment(next(iter(node.values())))
        if isinstance(node, dict) and "interval" in node:
            return self._interval(*node["interval"])
        if isinstance(node, dict) and ("bbox" in node or "coordinates" in node or "geometries" in node):
            return read_place(node)
        op, args = self._operation(node)
        if op == "casei":
            text = self.value(args[0])
            if isinstance(text, Text):
                return Text(None if text.literal is None else text.literal.casefold(), str.casefold)
        if op in ARITHMETIC:
            return self._calculated(op, *map(self.value, args))
        raise self.error(f"{op!r} gives no number, text, time or geometry of a tile")

    def _property(self, name: str) -> Value:
        if name.casefold() not in ATTRIBUTES:
            self.classes.append(name)
            return Number(lambda view: view.share(name), share=name, of_shares=True)
        name = name.casefold()
        self.attributes.add(name)
        if name == "category":
            return Text(None)
        if name == "datetime":
            return Time(acquired)
        return Place() if name == "geometry" else Number(TileView.sizes if name == "size" else TileView.gsds)

    def _moment(self, text: Any) -> Time:
        try:
            period = read_moment(str(text))
        except ValueError:
            raise self.error(f"{text!r} is no date or time, as 2020-05-31 or 2020-05-31T12:00:00Z") from None
        return _fixed(period)

    def _interval(self, first: Node, last: Node) -> Time:
        ends = []
        for node, open_end in ((first, FIRST), (last, LAST)):
            if node in ("..", ""):
                ends.append(_fixed(Period(open_end, open_end)))
                continue
            end = self._moment(node) if isinstance(node, str) else self.value(node)
            if not isinstance(end, Time):
                raise self.error("an interval goes from a time to a time")
            ends.append(end)
        start, stop = ends
        if start.period and stop.period and start.period.start > stop.period.end:
            raise self.error("an interval ends before it begins; swap its ends")

        def read(view: TileView) -> tuple[Period, Any]:
            (a, known_a), (b, known_b) = start.read(view), stop.read(view)
            return Period(a.start, b.end), known_a & known_b

        fixed = Period(start.period.start, stop.period.end) if start.period and stop.period else None
        return Time(read, fixed, interval=True)

    def _calculated(self, op: str, a: Value, b: Value) -> Number:
        if not (isinstance(a, Number) and isinstance(b, Number)):
            raise self.error(f"{op!r} stands between numbers")

        def read(view: TileView) -> Any:
            with np.errstate(divide="ignore", invalid="ignore"):
                result = ARITHMETIC[op](a.read(view), b.read(view))
            return np.where(np.isfinite(result), result, np.nan)

        return Number(read, of_shares=a.of_shares or b.of_shares)

    # -- tests

    def _compared(self, sign: str, left: Node, right: Node) -> Truth:
        a, b = self.value(left), self.value(right)
        if isinstance(a, Text) and isinstance(b, Number) and a.literal is not None:
            a = self._property(a.literal)  # 'Tree cover' > 0.3: a class in single quotes, as it could always be
        if isinstance(b, Text) and isinstance(a, Number) and b.literal is not None:
            b = self._property(b.literal)
        if isinstance(a, Time) and isinstance(b, Text) and b.literal is not None:
            b = self._moment(b.literal)
        if isinstance(b, Time) and isinstance(a, Text) and a.literal is not None:
            a = self._moment(a.literal)
        if isinstance(a, Number) and isinstance(b, Number):
            self._check_share(a, b)
            self._check_share(b, a)
            tolerance = SHARE_TOLERANCE if a.of_shares or b.of_shares else 0.0
            return truth_of_known(
                lambda view: (
                    compare_numbers(sign, *(both := (a.read(view), b.read(view))), tolerance),
                    ~np.isnan(both[0] + both[1]),
                )
            )
        if isinstance(a, Text) and isinstance(b, Text):
            return self._texts(sign, a, b)
        if isinstance(a, Time) and isinstance(b, Time) and not (a.interval or b.interval):
            return truth_of_times(lambda one, other: compare_periods(sign, one, other), a, b, time_bounds(sign, a, b))
        raise self.error(f"{_shown(left)} and {_shown(right)} cannot be compared by {sign!r}")

    def _check_share(self, share: Number, other: Number) -> None:
        if share.share is not None and other.literal is not None and not 0 <= other.literal <= 1:
            less = "less than nothing" if other.literal < 0 else "more than the whole tile"
            raise self.error(
                f"{other.literal:g} is {less}: {share.share!r} is taken as a land-cover class, with shares of 0 to 1"
            )

    def _texts(self, sign: str, a: Text, b: Text) -> Truth:
        if (a.literal is None) == (b.literal is None):
            raise self.error("a category is compared with a text in single quotes, as 'forest'")
        category, text = (a, b.literal) if a.literal is None else (b, a.literal)
        exact = sign == "=" and category.change is str and text is not None
        if exact:
            self.categories.append(str(text))

        def passes(name: str) -> bool:
            one, other = (category.change(name), text) if a.literal is None else (text, category.change(name))
            return compare_texts(sign, str(one), str(other))

        return truth_of_categories(passes, str(text) if exact else None)

    def _like(self, subject: Node, pattern: Node) -> Truth:
        value, shape = self.value(subject), self.value(pattern)
        if not (
            isinstance(value, Text) and value.literal is None and isinstance(shape, Text) and shape.literal is not None
        ):
            raise self.error("LIKE compares category with a pattern in single quotes, as 'for%'")
        matching = like(shape.literal)
        return truth_of_categories(lambda name: matching(value.change(name)), None)

    def _unknown(self, node: Node) -> Truth:
        if not (isinstance(node, dict) and "property" in node):
            raise self.error("IS NULL is asked of a name, as category or datetime")
        return truth_of_missing(self.value(node))

    def _temporal(self, op: str, left: Node, right: Node) -> Truth:
        a, b = (
            self._moment(v.literal) if isinstance(v, Text) and v.literal else v for v in map(self.value, (left, right))
        )
        if not (isinstance(a, Time) and isinstance(b, Time)):
            raise self.error(f"{op.upper()} relates times, as datetime and DATE('2020-01-31')")
        sign = {"t_after": ">", "t_before": "<", "t_during": "=", "t_intersects": "=", "t_equals": "="}.get(op)
        return truth_of_times(TEMPORAL[op], a, b, time_bounds(sign, a, b) if sign else None)

    def _spatial(self, op: str, left: Node, right: Node) -> Truth:
        a, b = self.value(left), self.value(right)
        if not (isinstance(a, Place) and isinstance(b, Place)) or (a.literal is None) == (b.literal is None):
            raise self.error(f"{op.upper()} relates geometry with a geometry, as BBOX(5, 45, 6, 46)")
        given = b if a.literal is None else a
        return truth_of_place(op, given, tile_first=a.literal is None)


def _flat(op: str, args: Sequence[Node]) -> list[Node]:
    """List what is joined by the same word, however the parser nested it."""
    found, waiting = [], list(args)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, dict) and node.get("op") == op:
            waiting[:0] = node["args"]
        else:
            found.append(node)
    return found


def _shown(node: Node) -> str:
    if isinstance(node, dict) and "property" in node:
        return repr(node["property"])
    if isinstance(node, str):
        return f"the text {node!r}"
    return f"{node:g}" if isinstance(node, int | float) and not isinstance(node, bool) else "that"
