"""Towers take pictures as they come: any size, any memory layout."""

from __future__ import annotations

import numpy as np
import torch
from tiny import tiny_clip

from geocmer.features import VIEWS, view


def test_every_view_of_a_picture_is_taken_as_its_copy_is() -> None:
    towers = tiny_clip()
    pixels = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)
    for index in range(VIEWS):  # views are strided, some backwards
        seen = view(pixels, index)
        torch.testing.assert_close(towers.image(seen).pooled, towers.image(seen.copy()).pooled, rtol=0, atol=0)
