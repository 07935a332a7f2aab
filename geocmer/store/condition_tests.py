"""The tests of tiles that a condition is made of: each is true, false or unknown of a tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import shapely

from .areas import MaxTileExtent, inside, near
from .condition_values import Number, Place, Text, Time, Value
from .operations import SPATIAL, Mask, Period
from .tile_columns import TileView

if TYPE_CHECKING:
    import pyarrow.compute as pc

Decision: TypeAlias = tuple[Mask, Mask]
"""Of which tiles something is true, and of which it is false, (n,) each; of the others it is unknown."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A part of a condition that is true, false or unknown of a tile.

    Attributes:
        decide: tells it of tiles.
        coarse: makes an expression for Lance that lets through all of which it is true; None: all tiles.
    """

    decide: Callable[[TileView], Decision]
    coarse: Callable[[MaxTileExtent], pc.Expression] | None = None


def joined(op: str, parts: Sequence[Truth]) -> Truth:
    """Join by `and` or `or` in the logic of three values (Kleene): the unknown counts where nothing else decides."""

    def decide(view: TileView) -> Decision:
        true, false = zip(*(part.decide(view) for part in parts), strict=True)
        first, second = (and_, or_) if op == "and" else (or_, and_)
        return reduce(first, true), reduce(second, false)

    coarse = [part.coarse for part in parts if part.coarse is not None]
    if not coarse or (op == "or" and len(coarse) < len(parts)):
        return Truth(decide)
    return Truth(decide, lambda extent: reduce(and_ if op == "and" else or_, [one(extent) for one in coarse]))


def truth_of_known(test: Callable[[TileView], tuple[Any, Any]]) -> Truth:
    """Make a truth of a test and of where its values are known."""

    def decide(view: TileView) -> Decision:
        met, known = (np.broadcast_to(mask, len(view.rows)) for mask in test(view))
        return met & known, ~met & known

    return Truth(decide)


def truth_of_times(
    relation: Callable[[Period, Period], Any], a: Time, b: Time, coarse: Callable[[MaxTileExtent], Any] | None
) -> Truth:
    """Make a truth of a relation of times."""

    def test(view: TileView) -> tuple[Any, Any]:
        (one, known_a), (other, known_b) = a.read(view), b.read(view)
        return relation(one, other), known_a & known_b

    return Truth(truth_of_known(test).decide, coarse)


def truth_of_categories(passes: Callable[[str], bool], exact: str | None) -> Truth:
    """Make a truth of a test of category names; each name is looked at once."""

    def test(view: TileView) -> tuple[Any, Any]:
        codes, names = view.tiles.category_codes(view.rows)
        holds = np.array([name is not None and passes(name) for name in names], bool)
        return holds[codes], np.array([name is not None for name in names], bool)[codes]

    def coarse(_: MaxTileExtent) -> pc.Expression:
        from pyarrow.compute import field

        return field("category") == exact

    return Truth(truth_of_known(test).decide, coarse if exact is not None else None)


def time_bounds(sign: str, a: Time, b: Time) -> Callable[[MaxTileExtent], Any] | None:
    """Make the expression for a tile's moment compared with a time that the condition gives, its ends included."""
    given, other, turned = (b, a, False) if a.period is None else (a, b, True)
    if given.period is None or sign == "<>" or other.period is not None or other.interval:
        return None
    low, high = given.period
    if turned:
        sign = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)

    def coarse(_: MaxTileExtent) -> pc.Expression:
        import pyarrow as pa
        from pyarrow.compute import field

        kind, terms = pa.timestamp("us", "UTC"), []
        if sign in (">", ">=", "="):
            terms.append(field("datetime") >= pa.scalar(int(low), kind))
        if sign in ("<", "<=", "="):
            terms.append(field("datetime") <= pa.scalar(int(high), kind))
        return reduce(and_, terms)

    return coarse


def truth_of_missing(value: Value) -> Truth:
    """Make a truth of whether a tile lacks a value of its own."""

    def missing(view: TileView) -> Decision:
        if isinstance(value, Text):
            codes, names = view.tiles.category_codes(view.rows)
            gone = codes == list(names).index(None)
        elif isinstance(value, Time):
            gone = ~np.asarray(value.read(view)[1])
        elif isinstance(value, Number):
            gone = np.isnan(value.read(view))
        else:
            gone = np.zeros(len(view.rows), bool)
        return gone, ~gone

    return Truth(missing)


def truth_of_place(op: str, given: Place, *, tile_first: bool) -> Truth:
    """Make a truth of a relation between a tile's footprint and a place that the condition gives."""
    shape, region = given.literal, given.region

    def decide(view: TileView) -> Decision:
        extents = view.tiles.extents_of(view.rows)
        if region is not None and op in ("s_intersects", "s_disjoint"):
            met = inside(region, extents, lambda some: view.tiles.footprints(view.rows[some]))
            return (met, ~met) if op == "s_intersects" else (~met, met)
        west, south, east, north = shapely.bounds(shape)
        xmin, ymin, xmax, ymax = extents.T  # what crosses 180 degrees has an extent beyond it
        close = (xmax > 180) | ((xmin <= east) & (xmax >= west) & (ymin <= north) & (ymax >= south))
        holds = np.full(len(view.rows), op == "s_disjoint")
        tiles = view.tiles.footprints(view.rows[close])
        holds[close] = SPATIAL[op](tiles, shape) if tile_first else SPATIAL[op](shape, tiles)
        return holds, ~holds

    if region is None or op == "s_disjoint":
        return Truth(decide)
    return Truth(decide, lambda extent: near(region, extent))
