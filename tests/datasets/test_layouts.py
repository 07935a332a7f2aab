"""One small set, written in every layout that people have, is read as the same set."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.layouts import read_layout
from geocmer.datasets.pairs import PairSet
from geocmer.errors import InputError

Truth = list[tuple[str, str, str, list[str]]]
TRUTH: Truth = [
    ("a.png", "train", "airport", ["two planes, parked", 'an "old" airport']),
    ("b.png", "val", "river", ["a river; and a bridge", "water\nand ground"]),
    ("c.png", "test", "river", ["a bend | of a river", "naïve café"]),
]


def karpathy(folder: Path) -> Path:
    images = [
        {
            "filename": file,
            "split": split,
            "scene": scene,
            "sentences": [{"raw": c, "tokens": c.split()} for c in texts],
        }
        for file, split, scene, texts in TRUTH
    ]
    return _json(folder / "dataset.json", {"dataset": "x", "images": images})


def entry_per_caption(folder: Path) -> Path:
    rows = [{"image": f, "caption": c, "split": s, "class": k} for f, s, k, texts in TRUTH for c in texts]
    return _json(folder / "list.json", rows)


def albef_files(folder: Path) -> Path:
    """A file for each split; for training an entry for each caption, for the others a list."""
    for file, split, scene, texts in TRUTH:
        entry = {"image": file, "label_name": scene, "label": 3, "image_id": 7}
        entries = [{**entry, "caption": c} for c in texts] if split == "train" else [{**entry, "caption": texts}]
        _json(folder / f"rsx_{split}.json", entries)
    return folder / "rsx_train.json"


def nwpu_captions(folder: Path) -> Path:
    by_class: dict[str, list[dict[str, str]]] = {}
    for file, split, scene, texts in TRUTH:
        raws = {"raw" if not i else f"raw_{i}": c for i, c in enumerate(texts)}
        by_class.setdefault(scene, []).append({"filename": file, "split": split, **raws})
        (folder / scene).mkdir(exist_ok=True)
        (folder / file).rename(folder / scene / file)
    return _json(folder / "dataset_nwpu.json", by_class)


def coco(folder: Path) -> Path:
    images = [{"id": i, "file_name": f, "split": s, "category": k} for i, (f, s, k, _) in enumerate(TRUTH)]
    annotations = [{"id": 9, "image_id": i, "caption": c} for i, row in enumerate(TRUTH) for c in row[3]]
    return _json(folder / "captions.json", {"images": images, "annotations": annotations})


def splits_as_keys(folder: Path) -> Path:
    return _json(folder / "set.json", {s: [{"filename": f, "scene": k, "captions": t}] for f, s, k, t in TRUTH})


def names_as_keys(folder: Path) -> Path:
    return _json(folder / "set.json", {f: {"split": s, "scene": k, "captions": t} for f, s, k, t in TRUTH})


def json_lines(folder: Path) -> Path:
    lines = [
        json.dumps(
            {"file_name": f, "split": s, "scene": k, "text": c.replace(" ", "\u2028")}, ensure_ascii=False
        )  # a blank that some take for the end of a line
        for f, s, k, texts in TRUTH
        for c in texts
    ]
    (folder / "set.jsonl").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return folder / "set.jsonl"


def table(folder: Path, delimiter: str = ",", encoding: str = "utf-8-sig", suffix: str = "csv") -> Path:
    with (folder / f"set.{suffix}").open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["filepath", "title", "Split", "class"])
        writer.writerows([f, c, s, k] for f, s, k, texts in TRUTH for c in texts)
    return folder / f"set.{suffix}"


def wide_table(folder: Path) -> Path:
    with (folder / "set.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "split", "scene", "caption_1", "caption_2", "caption_3"])
        writer.writerows([f, s, k, *texts, ""] for f, s, k, texts in TRUTH)
    return folder / "set.csv"


def repeated_columns(folder: Path) -> Path:
    with (folder / "set.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([[], [], ["File Name", "split", "scene", "caption", "caption", "caption"]])
        writer.writerows([f, s, k, *texts, ""] for f, s, k, texts in TRUTH)
    return folder / "set.csv"


def one_field_more(folder: Path) -> Path:
    rows = [{"filename": f, "split": s, "scene": k, "caption": t[0], "caption_1": t[1]} for f, s, k, t in TRUTH]
    return _json(folder / "set.json", rows)


def parquet(folder: Path) -> Path:
    rows = [{"file_name": f, "split": s, "class": k, "captions": texts} for f, s, k, texts in TRUTH]
    pq.write_table(pa.Table.from_pylist(rows), folder / "metadata.parquet")
    return folder


def hugging_face(folder: Path) -> Path:
    for split, name in (("train", "train"), ("val", "validation"), ("test", "test")):
        (folder / name).mkdir()
        rows = [(f, k, c) for f, s, k, texts in TRUTH if s == split for c in texts]
        with (folder / name / "metadata.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file_name", "category", "text"), *rows])
        for file_name in {f for f, _, _ in rows}:
            (folder / file_name).rename(folder / name / file_name)
    return folder


def hugging_face_one_file(folder: Path) -> Path:
    lines = []
    for file, split, scene, texts in TRUTH:
        (folder / split).mkdir()
        (folder / file).rename(folder / split / file)
        lines += [json.dumps({"file_name": f"{split}/{file}", "category": scene, "text": c}) for c in texts]
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


LAYOUTS: list[Callable[[Path], Path]] = [
    karpathy, entry_per_caption, albef_files, nwpu_captions, coco, splits_as_keys, names_as_keys, json_lines, table,
    lambda folder: table(folder, "\t", "utf-8", "tsv"), lambda folder: table(folder, ";", "utf-16", "csv"),
    lambda folder: table(folder, "|", "utf-8", "csv"), wide_table, repeated_columns, one_field_more,
    parquet, hugging_face, hugging_face_one_file,
]  # fmt: skip


def _json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def _rows(pairs: PairSet) -> Truth:
    return sorted((p.image.path.name, p.split, str(p.scene), list(p.captions)) for p in pairs.pairs)  # type: ignore[attr-defined]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_as_the_same_set(tmp_path: Path, layout: Callable[[Path], Path]) -> None:
    for file, *_ in TRUTH:
        Image.new("RGB", (4, 4)).save(tmp_path / file)
    want = [(file, split, scene, [" ".join(c.split()) for c in texts]) for file, split, scene, texts in TRUTH]
    assert _rows(load_pairs(layout(tmp_path))) == want


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["images\\a.jpg", "C:\\data\\images\\a.jpg", "/data/x/images/a.jpg", "./images/a.jpg"])
def test_files_of_other_systems_are_read(tmp_path: Path, encoding: str, name: str) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "a.jpg")
    entry = {"filename": name, "split": "train", "captions": ["a"]}
    (tmp_path / "set.json").write_text(json.dumps({"images": [entry]}), encoding=encoding)
    (pair,) = load_pairs(tmp_path / "set.json").pairs
    assert pair.image.path == tmp_path / "images" / "a.jpg"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("a.png", "entry 1 is a text"),
        (None, "entry 1 is a null"),
        ({}, "entry 1 names no image file"),
        ({"filename": 3, "captions": ["x"]}, "a number as its file name"),
        ({"filename": "a.png"}, r"'a\.png'\) has no caption"),
        ({"filename": "a.png", "captions": []}, "has no caption"),
        ({"filename": "a.png", "captions": [" ", None]}, "has no caption"),
        ({"filename": "a.png", "captions": [3]}, "has a number as a caption"),
        ({"filename": "a.png", "captions": [["a", "lake"]]}, "has a list as a caption"),
        ({"filename": "a.png", "sentences": [{"raw": ["a", "lake"]}]}, "has a list as a caption"),
        ({"filename": "a.png", "captions": ["bad \ud83d"]}, "half of a surrogate pair at character 4"),
        ({"filename": "a.png", "captions": ["x"], "scene": ["port"]}, "has a list as its scene"),
        ({"filename": "a.png", "captions": ["x"], "split": 1}, "has a number as its split"),
    ],
)
def test_a_wrong_type_is_named_with_its_entry(entry: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        list(read_layout({"images": [entry]}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}], "two images have the id 1"),
        ([{"id": [1], "file_name": "a.png"}], 'without an "id"'),
    ],
)
def test_images_that_captions_cannot_name_are_refused(images: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(read_layout({"images": images, "annotations": [{"image_id": 1, "caption": "x"}]}))


@pytest.mark.parametrize("name", ["set.jsonl", "set.json"])
def test_one_line_of_json_is_one_image(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert len(load_pairs(_json(tmp_path / name, {"file_name": "a.png", "text": "a lake", "split": "train"}))) == 1


def test_a_second_member_of_a_name_does_not_replace_the_first(tmp_path: Path) -> None:
    for text in ('{"a.png": ["x"], "a.png": ["y"]}', '{"file": "a.png"}\n{"file": "b.png", "text": "x", "text": "y"}'):
        (tmp_path / "set.json").write_text(text)
        with pytest.raises(InputError, match=r"set\.json.* has '(a\.png|text)' twice"):
            load_pairs(tmp_path / "set.json")


def test_captions_that_are_one_text_stay_one_text() -> None:
    (entry,) = read_layout([{"filename": "a.png", "captions": "an airport", "txtclasses": "port", "split": "valid"}])
    assert (entry.captions, entry.scene, entry.split) == (("an airport",), "port", "val")


def test_an_image_in_two_splits_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    entries = [
        {"filename": name, "split": s, "captions": ["x"]} for name, s in (("a.png", "train"), ("./a.png", "test"))
    ]
    with pytest.raises(InputError, match=r"'\./a\.png'.* is in two splits, 'train' and 'test'"):
        load_pairs(_json(tmp_path / "set.json", entries))


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "..\\a.png"])
def test_a_path_does_not_leave_the_folder(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "set").mkdir()
    file = _json(tmp_path / "set" / "set.json", [{"filename": name, "split": "train", "captions": ["x"]}])
    with pytest.raises(InputError, match=r"lies outside .*--images"):
        load_pairs(file)
    assert len(load_pairs(_json(file, [{"filename": "a.png", "split": "train", "captions": ["x"]}]), tmp_path)) == 1


@pytest.mark.parametrize("name", ["/x/../../a.png", "/../a.png", "C:\\x\\..\\..\\a.png"])
def test_nor_does_an_absolute_one(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "set").mkdir()
    file = _json(tmp_path / "set" / "set.json", [{"filename": name, "split": "train", "captions": ["x"]}])
    with pytest.raises(InputError, match="are missing"):
        load_pairs(file)


@pytest.mark.parametrize(
    "content",
    ["filename,caption\na.png,one,two\n", 'filename,caption\na.png,"one\na.png,two\n', "\x00", "a\nb\n"],
)
def test_a_table_that_is_none_is_one_clear_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "set.csv").write_text(content)
    with pytest.raises(InputError, match=r"set\.csv") as caught:
        load_pairs(tmp_path / "set.csv")
    assert "\n" not in str(caught.value)


def test_what_is_no_parquet_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "set.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(InputError, match=r"set\.parquet is no Parquet file") as caught:
        load_pairs(tmp_path / "set.parquet")
    assert "\n" not in str(caught.value)
