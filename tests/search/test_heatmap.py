"""Heat maps: the colour lies where the question is answered, the rest stays grey, and the box is drawn on the tile."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import shapely
from hits import hit
from PIL import Image

from geocmer.errors import InputError
from geocmer.search.heatmap import draw_heatmap, heatmap_overlay, write_heatmaps
from geocmer.search.spot import Spot


def _spot(evidence: np.ndarray) -> Spot:
    return Spot((0, 0, 16, 16), shapely.box(0, 0, 1, 1), (0.5, 0.5), float(np.nanmax(evidence)), evidence)


def test_what_answers_is_coloured_and_the_rest_is_grey() -> None:
    pixels = np.full((32, 32, 3), (60, 120, 90), np.uint8)
    evidence = np.zeros((4, 4))
    evidence[0, 0], evidence[3, 3] = 0.2, np.nan
    page = np.asarray(Image.open(io.BytesIO(draw_heatmap(pixels, _spot(evidence), "title")))).astype(int)
    left, right = page[40:488, 16:464], page[40:488, 480:928]
    assert (left[230:, 230:] == (60, 120, 90)).all()
    assert (left[0, :224] == (214, 39, 40)).all(), "the box of the spot"
    assert np.ptp(right[300:, 300:], axis=-1).max() <= 1
    assert np.ptp(right[:40, :40], axis=-1).min() > 60
    even = draw_heatmap(pixels, _spot(np.zeros((4, 4))))
    assert Image.open(io.BytesIO(even)).size == (944, 564), "no place is better than another"


def test_a_hit_without_a_spot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--locate"):
        list(write_heatmaps([hit(1)], tmp_path / "maps"))


def test_an_overlay_is_clear_where_a_place_is_worth_no_more_than_the_mean() -> None:
    evidence = np.zeros((4, 4))
    evidence[0, 0], evidence[3, 3] = 0.8, 0.2
    overlay = heatmap_overlay(_spot(evidence), 4)
    assert overlay.shape == (4, 4, 4)
    assert np.array_equal(overlay[..., 3] > 0, evidence > evidence.mean())
    assert tuple(overlay[0, 0]) == (240, 249, 33, 255), "the best is yellow and opaque"
    assert overlay[3, 3, 3] == int(255 * 3 * (0.2 - 1 / 16) / (0.8 - 1 / 16))
