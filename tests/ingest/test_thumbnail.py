"""Thumbnails: as small as a JPEG, and clear where a tile holds no data."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from geocmer.export.record import media_type
from geocmer.ingest.writer import THUMBNAIL_SIDE_PIXELS, encode_thumbnail


def test_a_whole_tile_is_a_jpeg_and_one_with_holes_is_clear_there() -> None:
    pixels = np.full((THUMBNAIL_SIDE_PIXELS * 2,) * 2 + (3,), (200, 30, 90), np.uint8)
    valid = np.ones(pixels.shape[:2], bool)
    whole = encode_thumbnail(pixels, valid)
    assert media_type(whole) == "image/jpeg"
    valid[:60] = False
    pixels[:60] = 0
    holed = encode_thumbnail(pixels, valid)
    assert media_type(holed) == "image/webp"
    shown = np.asarray(Image.open(io.BytesIO(holed)))
    assert shown.shape == (THUMBNAIL_SIDE_PIXELS, THUMBNAIL_SIDE_PIXELS, 4)
    assert (shown[:29, :, 3] == 0).all()
    assert (shown[31:, :, 3] == 255).all()
    assert np.abs(shown[32:, :, :3].astype(int) - (200, 30, 90)).max() < 20
    assert len(holed) < 4000
