"""Copies of an image are found by their content, and those in several splits are told apart."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from geocmer.datasets.duplicates import duplicate_warnings
from geocmer.datasets.pairs import Pair, PairSet
from geocmer.imagery.images import ImageFile


def _set(folder: Path, *images: tuple[int, str]) -> PairSet:
    pairs = []
    for i, (grey, split) in enumerate(images):
        Image.new("L", (4, 4), grey).save(folder / f"{i}.png")
        pairs.append(Pair(ImageFile(folder / f"{i}.png"), ("x",), split))
    return PairSet("x", tuple(pairs))


def test_different_images_are_no_copies(tmp_path: Path) -> None:
    assert duplicate_warnings(_set(tmp_path, (1, "train"), (2, "train"), (3, "val"))) == []


def test_copies_are_counted_by_the_splits_that_they_are_in(tmp_path: Path) -> None:
    pairs = _set(
        tmp_path, (1, "train"), (1, "val"), (2, "train"), (2, "train"), (3, "test"), (3, "train"), (3, "train")
    )
    leak_test, leak_val, within = duplicate_warnings(pairs)
    assert leak_test.startswith("images that are the same in test and train: 1;")
    assert leak_val.startswith("images that are the same in train and val: 1;")
    assert within.startswith("images that one split holds under several names: 1;")
