"""Views of a picture: their mean against numpy alone, what it does not change, and what a store keeps of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from synthetic import noise, raster

import geocmer
from geocmer.errors import FingerprintError, ModelError
from geocmer.models.backbone import Backbone
from geocmer.models.encoder import Encoder, expected_fingerprint
from geocmer.models.text_encoder import NumpyTextEncoder
from geocmer.models.turns import VIEWS, views_of
from geocmer.search.probability import calibration_of
from geocmer.store.vectors import EncoderInfo

SIDE = 240


@pytest.fixture(scope="module")
def encoders() -> Iterator[dict[int, Encoder]]:
    """Encoders of the same towers, which are there once for this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backbone, "load", cache(Backbone.load))
        yield {count: Encoder.load(device="cpu", views=count) for count in VIEWS}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Two pictures without any symmetry."""
    ramp = np.linspace(0, 255, SIDE)
    across, down = np.meshgrid(ramp, ramp**2 / 255)
    smooth = np.stack([across, down, 255 - across * down / 255], axis=-1)
    return np.stack([smooth, smooth[::-1] / 2 + noise(SIDE, SIDE, 3) / 4]).astype(np.uint8)


def by_hand(picture: np.ndarray) -> list[np.ndarray]:
    """The eight views, said in indices: itself, its half turn, both mirrored, then the four quarter turns."""
    rows, columns = picture, picture.swapaxes(0, 1)
    return [
        rows, rows[::-1, ::-1], rows[:, ::-1], rows[::-1],
        columns[::-1], columns[:, ::-1], columns[::-1, ::-1], columns,
    ]  # fmt: skip


def test_each_count_of_views_is_a_symmetry(pictures: np.ndarray) -> None:
    valid = pictures[..., 0] > 100
    for count in VIEWS:
        found = list(views_of(pictures, valid, count))
        assert len(found) == count
        kept = {pixels[1].tobytes() for pixels, _ in found}
        assert kept == {view.tobytes() for view in by_hand(pictures[1])[:count]}
        assert len(kept) == count
        for pixels, mask in found:
            assert mask is not None
            assert (mask == (pixels[..., 0] > 100)).all(), "the mask turns with the pixels"
        again = {pixels[0].tobytes() for pixels, _ in views_of(found[-1][0][1:], None, count)}
        assert again == kept, "the views of a view are the same ones"


@pytest.mark.parametrize("count", VIEWS)
def test_a_vector_is_the_mean_of_those_of_the_views(
    encoders: dict[int, Encoder], pictures: np.ndarray, count: int
) -> None:
    valid = np.ones(pictures.shape[:3], bool)
    valid[1, :90, :120] = False
    filled = np.where(valid[..., None], pictures, 0).astype(np.uint8)
    found = encoders[count].encode_images(pictures)
    masked = encoders[count].encode_images(filled, valid)
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-5
    for n, picture in enumerate(pictures):
        views = np.stack([np.ascontiguousarray(view) for view in by_hand(picture)[:count]])
        mean = encoders[1].encode_images(views).mean(axis=0)
        assert found[n] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    if count > 1:
        turned = encoders[count].encode_images(np.ascontiguousarray(filled[:, ::-1, ::-1]), valid[:, ::-1, ::-1])
        assert found @ encoders[count].encode_images(np.ascontiguousarray(pictures[:, ::-1, ::-1])).T == pytest.approx(
            found @ found.T, abs=1e-4
        ), "a half turn changes nothing"
        assert (masked * turned).sum(axis=1) == pytest.approx([1, 1], abs=1e-2), "nor with a hole, but for its fill"


def test_words_stay_and_the_fingerprint_tells(encoders: dict[int, Encoder]) -> None:
    words = ["a lake", "rows of parked cars beside a road"]
    assert len({encoder.fingerprint for encoder in encoders.values()}) == len(VIEWS)
    one = encoders[1]
    assert one.fingerprint == expected_fingerprint()
    for count, encoder in encoders.items():
        assert (encoder.encode_texts(words) == one.encode_texts(words)).all()
        quick = NumpyTextEncoder.of_store("bundled", "", count)
        assert quick is not None
        assert encoder.fingerprint == quick.fingerprint == expected_fingerprint(views=count)
        for known in (calibration_of(encoder), calibration_of(quick)):
            assert known is not None
            assert known.slope == getattr(calibration_of(one), "slope", None)
    for count in (0, 3, 16, -2):
        with pytest.raises(ModelError, match="1, 2, 4 or 8"):
            Encoder.load(views=count)


def test_a_store_keeps_the_number_of_views(tmp_path: Path, encoders: dict[int, Encoder]) -> None:
    path = raster(tmp_path / "scene.tif", noise(3, 128, 192))
    geocmer.open(tmp_path / "store", device="cpu", views=2).add(path, size=64)
    tiles = geocmer.open(tmp_path / "store")
    assert "2 views" in tiles.info()["model"]
    hits = tiles.search("a lake", k=6).hits
    words = encoders[1].encode_texts(["a lake"])[0]
    for hit in hits:
        assert hit.score == pytest.approx(
            float(encoders[2].encode_images(np.asarray(hit.image())[None])[0] @ words), abs=3e-3
        )
        assert hit.probability is not None
    assert geocmer.open(tmp_path / "store", device="cpu").add(path, size=96).added == 4, "with as many as before"
    with pytest.raises(FingerprintError, match="2 views"):
        geocmer.open(tmp_path / "store", device="cpu", views=1).add(path, size=32)
    tiles = geocmer.open(tmp_path / "store", device="cpu")
    assert tiles.embed(views=1) == 10
    assert tiles.store.encoder is not None
    assert (tiles.store.encoder.fingerprint, tiles.store.encoder.views) == (encoders[1].fingerprint, 1)
    assert len(geocmer.open(tmp_path / "store").search("a lake", k=6, keep="all")) == 6


def test_a_store_made_before_has_one_view() -> None:
    before = '{"fingerprint": "' + "ab" * 16 + '", "model": "bundled", "adapter": "", "dim": 4}'
    assert EncoderInfo.from_json(before) == EncoderInfo("ab" * 16, "bundled", "", 4, views=1)
