"""Which pictures an epoch sees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocmer.errors import InputError
from geocmer.training.sampling import epoch_order, set_shares


def test_without_weights_every_picture_counts_the_same() -> None:
    assert set_shares([30, 10], []).tolist() == [0.75, 0.25]


def test_weights_are_shares_in_any_unit() -> None:
    assert set_shares([30, 10], [1, 3]).tolist() == set_shares([5, 5], [10, 30]).tolist() == [0.25, 0.75]


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, 3.0], [1.0, 0.0], [1.0, -1.0]])
def test_weights_that_do_not_fit_are_refused(weights: list[float]) -> None:
    with pytest.raises(InputError, match="one positive number for each"):
        set_shares([3, 4], weights)


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    weights=st.lists(st.floats(0.1, 9), min_size=5, max_size=5),
    total=st.integers(1, 200),
    seed=st.integers(0, 9),
)
def test_sets_have_their_shares_and_pictures_of_a_set_are_seen_equally_often(
    sizes: list[int], weights: list[float], total: int, seed: int
) -> None:
    shares = set_shares(sizes, weights[: len(sizes)])
    order = epoch_order(np.random.default_rng(seed), sizes, shares, total)
    assert len(order) == total
    seen = np.bincount(order, minlength=sum(sizes))
    assert len(seen) == sum(sizes)
    for part, share in zip(np.split(seen, np.cumsum(sizes)[:-1]), shares, strict=True):
        assert abs(part.sum() - share * total) <= 1
        assert part.max() - part.min() <= 1


def test_one_set_is_permuted() -> None:
    order = epoch_order(np.random.default_rng(0), [50], set_shares([50], []), 50)
    assert sorted(order) == list(range(50))
    assert list(order) != sorted(order)
