"""Sets that are named on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geocmer.datasets.mixture import load_sets
from geocmer.errors import InputError


def write(folder: Path, entries: list[dict[str, object]], name: str) -> str:
    folder.mkdir()
    for i, entry in enumerate(entries):
        Image.fromarray(np.full((8, 8, 3), 5 * i, np.uint8)).save(folder / f"{i}.png")
        entry["path"] = f"{i}.png"
    (folder / name).write_text(json.dumps({"images": entries}))
    return str(folder / name)


@pytest.fixture
def captioned(tmp_path: Path) -> str:
    texts = ["a snowy mountain", "white snow lies here", "a lake", "a slow river"]
    return write(
        tmp_path / "talk", [{"split": "train", "captions": [texts[i % 4], "x"]} for i in range(32)], "captions.json"
    )


@pytest.fixture
def labelled(tmp_path: Path) -> str:
    entries: list[dict[str, object]] = [
        {"split": "train" if i < 12 else "val", "label": "AB"[i % 2]} for i in range(16)
    ]
    entries[2]["kind"] = "fine"
    entries[4]["tags"] = ["one tag", "another"]
    return write(tmp_path / "names", entries, "labels.json")


def test_one_set_keeps_its_splits(captioned: str) -> None:
    (pairs,) = load_sets([captioned])
    assert len(pairs) == 32
    assert not pairs.has_split("val")


def test_one_of_several_sets_without_validation_gets_every_eighth_image(captioned: str, labelled: str) -> None:
    talk, names = load_sets([captioned, labelled])
    assert [i for i, pair in enumerate(talk.pairs) if pair.split == "val"] == [7, 15, 23, 31]
    assert len(names.split("val")) == 4  # has its own


def test_labels_kinds_and_tags(labelled: str) -> None:
    pairs = load_sets([labelled])[0].pairs
    assert [pairs[i].labels for i in (0, 1, 2, 4)] == [("A",), ("B",), ("A", "fine"), ("one tag", "another")]
    assert all(pair.captions for pair in pairs)
    assert pairs[0].captions != pairs[6].captions  # equal labels are worded differently


@pytest.mark.parametrize("word", ["snow", "Snow"])
def test_images_with_a_word_are_labelled_with_it(captioned: str, word: str) -> None:
    whole, pairs = load_sets([captioned, f"{captioned}#word={word}"])
    assert len(pairs) == 16
    held = {pair.image for pair in whole.split("val").pairs}
    assert not held & {pair.image for pair in pairs.pairs}
    assert {pair.labels for pair in pairs.pairs} == {(word,)}
    assert not pairs.has_split("val")  # they are the images of a set that has its own


def test_mosaics_of_a_labelled_set(labelled: str, captioned: str) -> None:
    pairs = load_sets([captioned, labelled + "#mosaics=5"])[1]
    assert len(pairs) == 5
    assert {label for pair in pairs.pairs for label in pair.labels} <= {"A", "B"}


def test_a_sample_is_of_the_images_that_are_not_validated_on(captioned: str) -> None:
    whole, some = load_sets([captioned, f"{captioned}#sample=10"])
    train = [pair.image for pair in whole.split("train").pairs]
    rows = [train.index(pair.image) for pair in some.pairs]
    assert len(rows) == 10
    assert rows == sorted(set(rows))
    assert rows != list(range(10))
    assert len(load_sets([captioned, f"{captioned}#sample=99"])[1]) == len(train)


@pytest.mark.parametrize("weather", ["snow", "clouds"])
def test_weather_on_a_labelled_set(labelled: str, captioned: str, weather: str) -> None:
    if weather == "snow":
        with pytest.raises(InputError, match="as mountain, forest or river"):
            load_sets([captioned, f"{labelled}#snow=5"])
    else:
        pairs = load_sets([captioned, f"{labelled}#clouds=5"])[1]
        assert {pair.labels[0] for pair in pairs.pairs} == {"cloudy"}
        assert not pairs.has_split("val")


def test_mosaics_need_labels(captioned: str) -> None:
    with pytest.raises(InputError, match=r"no training image .* has one label"):
        load_sets([captioned + "#mosaics=5"])


@pytest.mark.parametrize("part", ["word=", "mosaics=0", "mosaics=many", "snow=-1", "half"])
def test_unknown_parts_are_refused(captioned: str, part: str) -> None:
    with pytest.raises(InputError, match="give #word=WORD, or one of mosaics, sample, snow, clouds"):
        load_sets([f"{captioned}#{part}"])


def test_a_word_that_nobody_says_is_refused(captioned: str) -> None:
    with pytest.raises(InputError, match="no training caption"):
        load_sets([captioned + "#word=volcano"])


def test_a_folder_of_images_belongs_to_one_set(captioned: str, labelled: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="belongs to one annotation file, not to 2"):
        load_sets([captioned, labelled], tmp_path)
