"""Holes are filled from valid pixels only, by mirroring, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geocmer.imagery.images import ImageFile
from geocmer.models.hole_fill import fill_holes


def test_a_straight_hole_is_filled_as_numpy_pads() -> None:
    """Mirroring at a straight edge is numpy's symmetric padding, the edge pixel left out as in `reflect`."""
    ground = np.random.default_rng(0).integers(1, 255, (20, 30, 3)).astype("uint8")
    expected = np.pad(ground, ((0, 0), (12, 0), (0, 0)), mode="reflect")
    image, valid = expected.copy(), np.ones(expected.shape[:2], bool)
    image[:, :12], valid[:, :12] = 0, False
    assert np.array_equal(fill_holes(image[None], valid[None])[0], expected)


@given(st.integers(0, 1000), st.floats(0.01, 0.99))
def test_only_ground_fills_holes_and_ground_stays(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (2, 17, 13, 3)).astype("uint8")
    valid = np.kron(random.random((2, 5, 4)) < share, np.ones((1, 4, 4), bool))[:, :17, :13]
    valid[:, 0, 0] = True
    filled = fill_holes(pixels, valid)
    assert np.array_equal(filled[valid], pixels[valid])
    for image, whole, mask in zip(pixels, filled, valid, strict=True):
        ground = {tuple(colour) for colour in image[mask].tolist()}
        assert {tuple(colour) for colour in whole.reshape(-1, 3).tolist()} <= ground


def test_what_has_no_hole_or_no_ground_is_left_as_it_is() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3)).astype("uint8")
    valid = np.stack([np.ones((8, 8), bool), np.zeros((8, 8), bool)])
    assert np.array_equal(fill_holes(pixels, valid), pixels)


def test_transparent_pixels_of_an_image_file_are_filled(tmp_path: Path) -> None:
    rgba = np.full((16, 16, 4), 255, "uint8")
    rgba[..., :3], rgba[:, 8:] = (90, 120, 60), 0
    Image.fromarray(rgba).save(tmp_path / "crop.png")
    assert (ImageFile(tmp_path / "crop.png").pixels(16) == (90, 120, 60)).all()
