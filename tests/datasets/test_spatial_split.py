"""Training and validation never meet: brute force over shapely's predicates, on both sides of the antimeridian."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import footprint

from geocmer.datasets.spatial_split import BUFFER, TRAIN, VAL, split


def _grid(west: float, south: float, columns: int, rows: int, size: float, step: float) -> np.ndarray:
    """Footprints of tiles, cut at 180 degrees where they cross it."""
    corners = [(west + step * i, south + step * j) for j in range(rows) for i in range(columns)]
    boxes = [footprint(x - 360 if x >= 180 else x, y, size, size) for x, y in corners]
    return np.array(boxes, dtype=object)


def _far_from_the_seam(geometry: shapely.Geometry) -> shapely.Geometry:
    """The same place with longitudes counted from 0 to 360, in one piece."""
    parts = [
        shapely.transform(g, lambda xy: np.stack([xy[:, 0] % 360, xy[:, 1]], 1)) for g in shapely.get_parts(geometry)
    ]
    # A vertex at -180 or 180 is 180 either way; none of the grids reach 0.
    return shapely.union_all(parts)


@settings(max_examples=examples(15))
@given(
    west=st.sampled_from([10.0, 179.7, 178.0]),
    columns=st.integers(2, 14),
    rows=st.integers(2, 14),
    overlap=st.sampled_from([1.0, 0.5, 0.7]),
    share=st.floats(0.1, 0.5),
    seed=st.integers(0, 99),
)
def test_no_validation_tile_overlaps_or_touches_a_training_tile(
    west: float, columns: int, rows: int, overlap: float, share: float, seed: int
) -> None:
    tiles = _grid(west, 40, columns, rows, 0.1, 0.1 * overlap)
    part = split(tiles, share, seed)
    assert set(part) <= {TRAIN, VAL, BUFFER}
    whole = np.array([_far_from_the_seam(tile) for tile in tiles], dtype=object)
    gap = shapely.distance(whole[part == VAL][:, None], whole[part == TRAIN][None, :])
    assert gap.size == 0 or gap.min() > 0.01  # the next tile but one is 0.05 degrees away or more
    # A buffer tile is one for a reason.
    reach = shapely.distance(whole[part == BUFFER][:, None], whole[part == VAL][None, :])
    assert reach.size == 0 or reach.min(axis=1).max() < 1e-5


def test_the_share_is_met_by_whole_blocks_and_most_tiles_are_kept() -> None:
    part = split(_grid(10, 40, 40, 40, 0.1, 0.1), 0.2, 0)
    shares = {name: float((part == name).mean()) for name in (TRAIN, VAL, BUFFER)}
    assert 0.2 <= shares[VAL] < 0.31
    assert shares[TRAIN] > 0.5


def test_the_seed_chooses_the_blocks_and_nothing_else_does() -> None:
    tiles = _grid(10, 40, 20, 20, 0.1, 0.1)
    assert (split(tiles, 0.2, 3) == split(tiles, 0.2, 3)).all()
    assert any((split(tiles, 0.2, 3) != split(tiles, 0.2, seed)).any() for seed in range(4, 8))


def test_the_same_place_twice_is_never_on_both_sides() -> None:
    tiles = np.concatenate([_grid(10, 40, 12, 12, 0.1, 0.1)] * 2)  # two dates
    part = split(tiles, 0.3, 1)
    first, second = part[:144], part[144:]
    assert not ((first == VAL) & (second == TRAIN)).any()
    assert not ((first == TRAIN) & (second == VAL)).any()
    assert (part == VAL).any()
    assert (part == TRAIN).any()


@pytest.mark.parametrize("n", [1, 3])
def test_few_tiles_are_split_without_a_word(n: int) -> None:
    assert set(split(_grid(10, 40, n, 1, 0.1, 0.1), 0.2, 0)) <= {TRAIN, VAL, BUFFER}
