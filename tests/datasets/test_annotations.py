"""Annotation files: the styles that are read, and what is said of bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.mosaics import mosaics
from geocmer.datasets.pairs import PairSet
from geocmer.errors import InputError
from geocmer.imagery.images import ImageFile


def _picture(path: Path, value: int = 100, size: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(path)


def test_reads_the_karpathy_style_and_maps_split_names(tmp_path: Path) -> None:
    _picture(tmp_path / "images" / "a.png")
    entry = {"filename": "a.png", "split": "valid", "sentences": [{"raw": " two   planes "}, {"raw": "an airport"}]}
    (tmp_path / "set.json").write_text(json.dumps({"images": [entry]}))
    pairs = load_pairs(tmp_path / "set.json")
    assert pairs.split("val").pairs[0].captions == ("two planes", "an airport")
    texts, owner = pairs.captions()
    assert len(texts) == 2
    assert owner.tolist() == [0, 0]


def test_missing_images_are_counted_and_named(tmp_path: Path) -> None:
    entries = [{"filename": f"{i}.png", "split": "train", "captions": ["x"]} for i in range(3)]
    (tmp_path / "set.json").write_text(json.dumps({"images": entries}))
    with pytest.raises(InputError, match=r"3 of 3 images .*0\.png.*--images"):
        load_pairs(tmp_path / "set.json")
    for i in range(3):
        _picture(tmp_path / "elsewhere" / f"{i}.png")
    assert len(load_pairs(tmp_path / "set.json", tmp_path / "elsewhere")) == 3


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"images": []}', '{"images": [{}]}', '{"images": 3}', "\x00\xff"])
def test_anything_else_is_one_clear_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "set.json").write_text(content)
    with pytest.raises(InputError) as caught:
        load_pairs(tmp_path / "set.json")
    assert "\n" not in str(caught.value)
    assert "set.json" in str(caught.value)


def test_a_missing_file_and_a_missing_split_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_pairs(tmp_path / "no.json")
    _picture(tmp_path / "a.png")
    (tmp_path / "set.json").write_text(
        json.dumps({"images": [{"filename": "a.png", "split": "train", "captions": ["x"]}]})
    )
    with pytest.raises(InputError, match="no 'test' split; its splits are: train"):
        load_pairs(tmp_path / "set.json").split("test")


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.png is not a readable image"):
        ImageFile(tmp_path / "a.png").pixels(8)


def test_rsicd_has_its_official_split(shared_data: Path) -> None:
    pairs = load_pairs(shared_data / "rsicd" / "captions.json")
    assert [len(pairs.split(s)) for s in ("train", "val", "test")] == [8734, 1094, 1093]
    assert len({p.scene for p in pairs.pairs}) == 31  # and none without


def test_the_scene_is_named_by_either_field(tmp_path: Path) -> None:
    fields: list[dict[str, object]] = [{"scene": "port", "txtclasses": ["x"]}, {"scene": None, "txtclasses": ["y"]}, {}]
    for i in range(len(fields)):
        _picture(tmp_path / f"{i}.png")
    entries = [{"filename": f"{i}.png", "split": "val", "captions": ["x"], **f} for i, f in enumerate(fields)]
    (tmp_path / "set.json").write_text(json.dumps({"images": entries}))
    assert [p.scene for p in load_pairs(tmp_path / "set.json").pairs] == ["port", "y", None]


def test_a_picture_is_squashed_not_cropped_and_its_digest_is_its_contents(tmp_path: Path) -> None:
    half = np.zeros((10, 30, 3), np.uint8)
    half[:, 15:] = 255
    Image.fromarray(half).save(tmp_path / "a.png")
    Image.fromarray(half).save(tmp_path / "b.png")
    small = ImageFile(tmp_path / "a.png").pixels(10)
    assert small.shape == (10, 10, 3)
    assert small[:, :3].max() < 20
    assert small[:, -3:].min() > 235
    assert ImageFile(tmp_path / "a.png").digest() == ImageFile(tmp_path / "b.png").digest()
    _picture(tmp_path / "b.png", 7)
    assert ImageFile(tmp_path / "a.png").digest() != ImageFile(tmp_path / "b.png").digest()


def _of_ground(folder: Path, given: object, sizes: tuple[int, ...] = (20, 30)) -> PairSet:
    folder.mkdir(exist_ok=True)
    for i, size in enumerate(sizes):
        _picture(folder / f"{i}.png", size=size)
    images = [{"filename": f"{i}.png", "split": "train", "label": "x"} for i in range(len(sizes))]
    _picture(folder / "val.png", size=500)
    images.append({"filename": "val.png", "split": "val", "label": "x"})
    (folder / "set.json").write_text(json.dumps({"gsd_m": given, "images": images}))
    return load_pairs(folder / "set.json")


@pytest.mark.parametrize(
    ("given", "ground"),
    [(10, (200, 300)), (0.5, (10, 15)), ([0.2, 30], (4, 900)), ("0.2-30", ()), (None, ()), (True, ()), ([1, "a"], ())],
)
def test_how_much_ground_training_images_cover_follows_from_the_resolution(
    tmp_path: Path, given: object, ground: tuple[float, ...]
) -> None:
    pairs = _of_ground(tmp_path, given)
    assert pairs.ground_m == pytest.approx(ground)
    assert pairs.split("val").ground_m == pytest.approx(ground)
    assert mosaics(pairs, 3).ground_m == pytest.approx([side * n for side, n in zip(ground, (2, 3), strict=False)])


@pytest.mark.parametrize("bad", [0, -1, [], [30, 0.2], [1, 2, 3], [0, 5]])
def test_a_resolution_that_is_none_is_named(tmp_path: Path, bad: object) -> None:
    with pytest.raises(InputError, match=r"set.json .*gsd_m is .*as 10 or \[0.2, 30\]"):
        _of_ground(tmp_path, bad)


def test_of_several_sets_the_ground_is_known_if_it_is_of_each(tmp_path: Path) -> None:
    fine, coarse, silent = (_of_ground(tmp_path / str(n), gsd) for n, gsd in enumerate((0.5, 10, None)))
    assert PairSet.joined([coarse, fine]).ground_m == (10, 300)
    assert PairSet.joined([coarse, silent]).ground_m == ()
