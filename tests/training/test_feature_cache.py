"""The feature cache: it holds what the towers say, computed once, whoever interrupts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from colours import TinyBackbone
from filelock import FileLock
from PIL import Image

from geocmer.datasets.pairs import PairSet
from geocmer.errors import InputError
from geocmer.models.backbone import Features
from geocmer.training.feature_cache import UncachedImages, image_features
from geocmer.training.text_features import text_features
from geocmer.training.views import view


def test_the_cache_is_computed_once_and_holds_what_the_tower_says(pairs: PairSet, tmp_path: Path) -> None:
    backbone = TinyBackbone()
    first = image_features(backbone, pairs, tmp_path, 3)  # type: ignore[arg-type]
    count = backbone.pictures
    again = image_features(backbone, pairs, tmp_path, 3)  # type: ignore[arg-type]
    assert backbone.pictures == count + 1  # the probe of the shapes alone
    rows, views = np.array([5, 2, 40]), np.array([2, 0, 1])
    pixels = [np.asarray(Image.open(tmp_path / f"{r}.png"))[None] for r in rows]
    for kept in (first, again):
        got = kept.batch(views, rows)
        for i in range(3):
            digest = pairs.pairs[rows[i]].image.digest()
            truth = backbone.image(view(pixels[i][0], int(views[i]), digest)[None])
            torch.testing.assert_close(got.pooled[i], truth.pooled[0], rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(got.taps[0][i], truth.taps[0][0], rtol=1e-3, atol=1e-3)


def test_an_interrupted_cache_goes_on_and_ends_the_same(pairs: PairSet, tmp_path: Path) -> None:
    class Dies(TinyBackbone):
        def image(self, pixels: np.ndarray) -> Features:
            if self.pictures > 60:
                raise KeyboardInterrupt
            return super().image(pixels)

    with pytest.raises(KeyboardInterrupt):
        image_features(Dies(), pairs, tmp_path / "cut", 4)  # type: ignore[arg-type]
    cut = image_features(TinyBackbone(), pairs, tmp_path / "cut", 4)  # type: ignore[arg-type]
    whole = image_features(TinyBackbone(), pairs, tmp_path / "whole", 4)  # type: ignore[arg-type]
    every = np.arange(len(pairs))
    for v in range(4):
        torch.testing.assert_close(
            cut.batch(every * 0 + v, every).pooled, whole.batch(every * 0 + v, every).pooled, rtol=0, atol=0
        )


def test_two_runs_never_fill_one_cache_at_once(pairs: PairSet, tmp_path: Path) -> None:
    asked = 0

    class Watched(TinyBackbone):
        """While it computes, another run comes by."""

        def image(self, pixels: np.ndarray) -> Features:
            if len(pixels) > 1:
                self._refused(lambda: image_features(TinyBackbone(), pairs, tmp_path, 2))  # type: ignore[arg-type]
            return super().image(pixels)

        def text(self, texts: Any) -> Features:
            self._refused(lambda: text_features(TinyBackbone(), ["a", "b"], tmp_path))  # type: ignore[arg-type]
            return super().text(texts)

        def _refused(self, call: Callable[[], object]) -> None:
            nonlocal asked
            asked += 1
            with pytest.raises(InputError, match=r"another run is computing the same features.*--cache-dir"):
                call()

    image_features(Watched(), pairs, tmp_path, 2)  # type: ignore[arg-type]
    text_features(Watched(), ["a", "b"], tmp_path)  # type: ignore[arg-type]
    assert asked > 2
    locks = [FileLock(found.parent / "filling.lock") for found in tmp_path.rglob("*.npy")]
    for lock in locks:  # what is whole is read without asking
        lock.acquire(timeout=0)
        image_features(TinyBackbone(), pairs, tmp_path, 2)  # type: ignore[arg-type]
        text_features(TinyBackbone(), ["a", "b"], tmp_path)  # type: ignore[arg-type]
        lock.release()


def test_uncached_views_are_what_the_cache_holds(pairs: PairSet, tmp_path: Path) -> None:
    backbone = TinyBackbone()
    rows, views = np.array([3, 0, 5, 2, 1]), np.array([0, 3, 1, 2, 1])
    live = UncachedImages(backbone, pairs).batch(views, rows)  # type: ignore[arg-type]
    kept = image_features(backbone, pairs, tmp_path, 4).batch(views, rows)  # type: ignore[arg-type]
    torch.testing.assert_close(live.pooled, kept.pooled, rtol=1e-3, atol=1e-3)
    for tap, again in zip(live.taps, kept.taps, strict=True):
        torch.testing.assert_close(tap, again, rtol=1e-3, atol=1e-3)


def test_equal_texts_are_one_row_and_words_come_back_as_they_were(tmp_path: Path) -> None:
    texts, backbone = ["b", "a lake", "b", "long text"], TinyBackbone()
    for _ in range(2):  # computed, then read
        kept = text_features(backbone, texts, tmp_path)  # type: ignore[arg-type]
        rows = kept.rows(texts)
        assert rows[0] == rows[2]
        got, truth = kept.batch(rows), backbone.text(texts)
        torch.testing.assert_close(got.pooled, truth.pooled)
        assert got.mask is not None
        assert truth.mask is not None
        assert torch.equal(got.mask, truth.mask)
        torch.testing.assert_close(got.taps[0], truth.taps[0] * truth.mask[..., None])


def test_interrupted_text_features_go_on_and_end_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dies(TinyBackbone):
        calls = 0

        def text(self, texts: Any) -> Features:
            self.calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().text(texts)

    monkeypatch.setattr("geocmer.training.text_features._BLOCK_TEXTS", 2)
    texts = ["one", "two", "three", "four", "five", "six", "seven"]
    with pytest.raises(KeyboardInterrupt):
        text_features(Dies(), texts, tmp_path / "cut")  # type: ignore[arg-type]
    cut, whole = (text_features(TinyBackbone(), texts, tmp_path / name) for name in ("cut", "whole"))  # type: ignore[arg-type]
    assert (cut.tokens == whole.tokens).all()
    assert (cut.pooled == whole.pooled).all()
