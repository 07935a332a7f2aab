"""A store of tiles at random, what brute force finds in it, and regions and conditions to ask for."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import shapely
from hypothesis import strategies as st
from synthetic import NASTY, footprint, scene, tile, unit

from geocmer.geometry.bbox import BBox
from geocmer.geometry.region import Region
from geocmer.store.store import TileRow

Holds = Callable[[Mapping[str, float]], bool]  # does a condition hold for the fractions of a tile


START = datetime(2020, 1, 1, tzinfo=UTC)
RNG = np.random.default_rng(7)
GSD = (0.3, 2.5, 10, 28.5)
LABELS = ("Tree cover", "Built-up", "Permanent water bodies", *NASTY[1:5])


def _fractions() -> dict[str, float]:
    """Sixty-fourths, so that sums of them are exact in any order."""
    parts = RNG.multinomial(64, [1 / len(LABELS)] * len(LABELS))
    return {label: part / 64 for label, part in zip(LABELS, parts.tolist(), strict=True) if part}


def _world() -> tuple[list[TileRow], np.ndarray]:
    """Tiles in two grids (one across the antimeridian), turned ones, wide ones, and one around the pole; many tie."""
    shapes = [footprint(10 + x / 2, 45 + y / 2, 0.5, 0.5) for x in range(10) for y in range(10)]
    shapes += [footprint(177.75 + x / 2, -19 + y / 2, 0.5, 0.5) for x in range(9) for y in range(6)]
    shapes += [footprint(x, y, 1.5, 0.7, turn) for x, y, turn in RNG.uniform([5, 40, 0], [20, 55, 360], (40, 3))]
    shapes += [footprint(x, y, 1.5, 0.7, turn) for x, y, turn in RNG.uniform([175, -25, 0], [180, -10, 360], (40, 3))]
    shapes += [footprint(-20, 30, 60, 12), footprint(9.63, 44.61, 6, 6), shapely.box(-180, 84, 180, 90)]
    # A few vectors for many tiles: scores tie, to the last bit.
    kinds = unit(25, seed=3)[RNG.integers(0, 25, len(shapes))]
    rows = [
        tile(
            int(number),
            geometry=shape,
            scene_id=scene(int(number) % 3).id,
            category=[*NASTY, None][int(RNG.integers(0, len(NASTY) + 1))],
            gsd=float(RNG.choice(GSD)),
            fractions=None if RNG.random() < 0.2 else _fractions(),
            datetime=None if RNG.random() < 0.2 else START + timedelta(hours=float(RNG.uniform(0, 24 * 60))),
        )
        for number, shape in zip(RNG.permutation(len(shapes)), shapes, strict=True)
    ]
    return rows, kinds


ROWS, VECTORS = _world()
EMBEDDED = len(ROWS) - 30


def brute_force(
    query: np.ndarray,
    area: shapely.Geometry | None,
    category: str | None,
    since: datetime | None,
    until: datetime | None,
    min_score: float | None,
    weights: Mapping[str | None, float] | None,
    gsd: tuple[float | None, float | None] | None,
    holds: Holds | None,
) -> tuple[list[str], list[float], int]:
    """Ids and scores of all embedded tiles that match, best first, and how many that match are not embedded."""
    scored: list[tuple[float, str, float]] = []
    unembedded = 0
    halved = VECTORS.astype(np.float16).astype(np.float64)
    for number, row in enumerate(ROWS):
        if area is not None and not row.geometry.intersects(area):
            continue
        if category is not None and row.category != category:
            continue
        if gsd and not np.float32(gsd[0] or 0) <= np.float32(row.gsd) <= np.float32(gsd[1] or 1e9):
            continue
        if holds and (row.fractions is None or not holds(row.fractions)):
            continue
        moment = row.datetime
        if (since or until) and moment is None:
            continue
        if moment and ((since and moment < since) or (until and moment > until)):
            continue
        if number >= EMBEDDED:
            unembedded += 1
            continue
        score = math.fsum(halved[number] * query / np.linalg.norm(query)) + (weights or {}).get(row.category, 0.0)
        if min_score is None or score >= min_score:
            scored.append((-round(score, 12), row.id, score))
    scored.sort()
    return [name for _, name, _ in scored], [score for *_, score in scored], unembedded


def _box(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    parts = [(west, east)] if west <= east else [(west, 180), (-180, east)]
    corners = [shapely.MultiPoint([(w, south), (w, north), (e, south), (e, north)]) for w, e in parts]
    return shapely.union_all([points.convex_hull for points in corners])  # a line or a point where it has no area


longitudes = st.one_of(st.floats(5, 25), st.floats(170, 180), st.floats(-180, -170), st.floats(-180, 180))
latitudes = st.one_of(st.floats(38, 57), st.floats(-28, -8), st.floats(-90, 90))
on_the_grid = st.tuples(
    st.sampled_from([10.0, 12.5, 15.0, 177.75, 180.0, -180.0, -179.25]), st.sampled_from([45.0, 47.5, -19.0])
)


@st.composite
def regions(draw: st.DrawFn) -> tuple[BBox | Region, shapely.Geometry]:
    """A region for geocmer, and the same made with shapely alone."""
    if draw(st.booleans()):
        (west, south), (east, north) = draw(
            st.tuples(on_the_grid, on_the_grid) | st.tuples(*[st.tuples(longitudes, latitudes)] * 2)
        )
        south, north = sorted((south, north))
        return BBox(west, south, east, north), _box(west, south, east, north)
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        x, y = draw(
            st.tuples(st.floats(5, 20), st.floats(40, 55)) | st.tuples(st.floats(176, 180), st.floats(-24, -10))
        )
        angles = np.sort(draw(st.lists(st.floats(0, 6.28), min_size=3, max_size=12, unique=True)))
        ring = np.column_stack([x + 3 * np.cos(angles), y + 3 * np.sin(angles)])
        whole = shapely.Polygon(ring).buffer(0)
        beyond = shapely.transform(whole.intersection(shapely.box(180, -90, 540, 90)), lambda xy: xy - [360, 0])
        parts += [whole.intersection(shapely.box(-180, -90, 180, 90)), beyond]
    area = shapely.union_all(parts)
    polygons = [part for part in shapely.get_parts(area) if part.geom_type == "Polygon" and part.area > 1e-6]
    area = shapely.MultiPolygon(polygons) if polygons else shapely.box(0, 0, 1, 1)
    return Region(area, "a test"), area


NAMES = {
    "built_up": "Built-up",
    "BUILT-UP": "Built-up",
    "forest": "Tree cover",  # the category word of the bundled legends
    "'Permanent water bodies'": "Permanent water bodies",
    "\"x' OR '1'='1\"": NASTY[1],
    "Überschwemmung_水": NASTY[3],
}


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> tuple[str, Holds]:
    """A condition as text, and as a function of a tile's fractions."""
    if depth == 0 or draw(st.booleans()):
        name, sign = draw(st.sampled_from(sorted(NAMES))), draw(st.sampled_from(sorted(SIGNS)))
        least = draw(st.integers(0, 32)) / 64
        return f"{name} {sign} {least}", lambda shares: SIGNS[sign](shares.get(NAMES[name], 0), least)
    (one, first), (two, second) = draw(conditions(depth - 1)), draw(conditions(depth - 1))
    kind = draw(st.sampled_from(["and", "or", "not"]))
    if kind == "not":
        return f"NOT ({one})", lambda shares: not first(shares)
    if kind == "and":
        return f"({one}) and ({two})", lambda shares: first(shares) and second(shares)
    return f"({one}) Or {two}" if depth == 1 else f"({one}) or ({two})", lambda shares: first(shares) or second(shares)


SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne}
