"""Of hits that show the same place one is kept, as trying all pairs keeps them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import shapely
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from synthetic import unit
from world import ROWS, brute_force, regions

from geocmer.geometry.bbox import BBox
from geocmer.geometry.region import Region
from geocmer.search.vector_search import nearest_tiles
from geocmer.store.filter import Filter
from geocmer.store.store import Store


def _same_places() -> np.ndarray:
    """Which tiles show one place, in an equal-area projection: at least 6/13 of the smaller one lies in the other."""
    project = Transformer.from_crs(4326, 6933, always_xy=True).transform
    flat = shapely.transform(
        np.array([row.geometry for row in ROWS], dtype=object), lambda xy: np.column_stack(project(*xy.T))
    )
    shared = shapely.area(shapely.intersection(flat[:, None], flat[None, :]))
    areas = shapely.area(flat)
    inside = shared / np.minimum(areas[:, None], areas[None, :])
    ratio = np.maximum(areas[:, None], areas[None, :]) / np.minimum(areas[:, None], areas[None, :])
    assert np.abs(inside - 6 / 13).min() > 1e-4, "none on the edge, where a sphere and an ellipsoid differ"
    same: np.ndarray = (inside >= 6 / 13) & (ratio <= 25)
    assert ((ratio > 1.5) & same).sum() > 50, "of different sizes too"
    assert ((inside == 1) & (ratio > 25)).sum() > 10, "and tiles in ones far larger, which are places of their own"
    overlaps = shared / (areas[:, None] + areas[None, :] - shared)
    assert (same == (overlaps >= 0.3))[np.abs(ratio - 1) < 1e-9].all(), "of one size, the intersection over union"
    return same


def _age(number: int) -> float:
    """Order tiles from the newest to the oldest, those without a date last."""
    moment = ROWS[number].datetime
    return -moment.timestamp() if moment else 1


@pytest.fixture(scope="module")
def same_places() -> np.ndarray:
    return _same_places()


@settings(max_examples=examples(15))
@given(
    where=st.none() | regions(),
    k=st.none() | st.integers(1, 30),
    newest=st.booleans(),
    min_score=st.none() | st.floats(-0.5, 0.5),
    query=st.integers(0, 99).map(lambda n: unit(100, seed=5)[n]),
)
def test_one_hit_for_each_place(
    world: Store,
    same_places: np.ndarray,
    where: tuple[BBox | Region, shapely.Geometry] | None,
    k: int | None,
    newest: bool,
    min_score: float | None,
    query: np.ndarray,
) -> None:
    region, area = where or (None, None)
    ids, *_ = brute_force(query.astype(np.float64), area, None, None, None, min_score, None, None, None)
    number = {row.id: n for n, row in enumerate(ROWS)}
    order = [number[name] for name in ids]
    if newest:
        order.sort(key=_age)
    kept: list[int] = []
    for n in order:
        if not same_places[n, kept].any():
            kept.append(n)
    expected = [name for name in ids if number[name] in kept]
    places: Literal["best", "newest"] = "newest" if newest else "best"
    answer = nearest_tiles(world, query, filter=Filter(region), k=k, min_score=min_score, keep=places)
    assert [hit.id for hit in answer] == expected[:k]
    if expected:
        last = len(ids) if len(answer) == len(expected) != k else ids.index(expected[: len(answer)][-1]) + 1
        assert answer.plan.hidden == last - len(answer)
