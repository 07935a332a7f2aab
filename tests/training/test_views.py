"""The views of a picture that training sees."""

from __future__ import annotations

import numpy as np

from geocmer.training.views import vary, view

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
DIGEST = bytes(range(16))


def test_the_first_view_is_the_picture() -> None:
    assert view(PICTURE, 0, DIGEST) is PICTURE


def test_a_view_is_decided_by_the_picture_and_its_number() -> None:
    same = view(PICTURE, 1, DIGEST)
    assert (same == view(PICTURE, 1, DIGEST)).all()
    assert (same != view(PICTURE, 2, DIGEST)).any()
    assert (same != view(PICTURE, 1, bytes(16))).any()


def test_all_views_have_the_shape_of_the_picture() -> None:
    for index in range(30):
        found = view(PICTURE, index, DIGEST)
        assert found.shape == PICTURE.shape
        assert found.dtype == np.uint8


def test_a_picture_of_one_grey_stays_flat() -> None:
    """No border, ringing or hole appears: every channel stays one value."""
    grey = np.full((32, 32, 3), 100, np.uint8)
    for seed in range(40):
        assert np.ptp(vary(grey, np.random.default_rng(seed)).reshape(-1, 3), axis=0).max() == 0


def test_all_eight_turns_come_about() -> None:
    """A picture with one bright corner and one bright edge beside it tells the turns apart."""
    picture = np.full((40, 40, 3), 60, np.uint8)
    picture[:20, :20] = 200
    picture[:20, 20:] = 120
    seen = set()
    for seed in range(200):
        grey = vary(picture, np.random.default_rng(seed)).astype(int).sum(2)
        corners = grey[[2, 2, -3, -3], [2, -3, 2, -3]]
        seen.add(tuple(np.argsort(corners)[-2:]) if len(set(corners)) > 2 else ())
    assert len(seen - {()}) == 8
