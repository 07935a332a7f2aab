"""The layouts of captioned sets that people have, each read into entries of one image.

Karpathy's (RSICD, RSITMD, UCM, Sydney), COCO's, NWPU-Captions', the lists of ALBEF and HarMA with one entry for each
caption, tables, JSON lines, and Hugging Face image folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

FILE_FIELDS = ("path", "filename", "file_name", "image", "image_path", "img_path", "filepath", "file", "image_name")
CAPTION_FIELDS = ("captions", "sentences", "caption", "texts", "text", "title", "sentence", "comment", "description")
SPLIT_FIELDS = ("split", "subset", "partition")
SCENE_FIELDS = ("scene", "txtclasses", "label_name", "class_name", "classname", "category", "class", "label")
"""Names of fields, in the order in which they are looked for; RSICD calls its class `txtclasses`."""

SPLITS = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names of splits that are in use -> the names here."""

_NUMBERED_CAPTION = re.compile(r"(raw|caption|sentence|text|comment)[ _-]?\d*", re.ASCII)
"""Fields of one caption each: `raw`, `raw_1` ... in NWPU-Captions."""

_TEXT_KEYS = ("raw", "caption", "text", "sentence")
"""Fields of the text in a caption that is an object."""

_EXPECTED = 'expected images with a file name ("filename") and their captions ("captions")'


@dataclass(frozen=True, slots=True)
class Entry:
    """What an annotation says of an image; several entries may speak of the same one."""

    file: str
    captions: tuple[str, ...]
    split: str = ""
    """Empty where the entry gives none."""
    scene: str | None = None
    labels: tuple[str, ...] = ()
    """Labels of an image for which the annotation has no captions at all."""


def read_layout(content: Any) -> Iterator[Entry]:
    """Read the content of an annotation file.

    Args:
        content: of a JSON file, or the list of the records of another.

    Raises:
        InputError: it has none of the layouts; the message does not name the file.
    """
    if isinstance(content, dict) and isinstance(content.get("annotations"), list) and "images" in content:
        content = _join_coco(content["images"], content["annotations"])
    if isinstance(content, dict) and ("images" in content or "data" in content):
        content = content.get("images", content.get("data"))
    if isinstance(content, dict) and any(isinstance(content.get(field), str) for field in FILE_FIELDS):
        content = [content]
    if isinstance(content, list):
        yield from (_entry(record, f"entry {number}") for number, record in enumerate(content, 1))
        return
    if not isinstance(content, dict):
        raise InputError(f"it holds a {_kind(content)}; {_EXPECTED}")
    for key, value in content.items():
        if isinstance(value, list) and value and all(isinstance(record, dict) for record in value):
            if not any(field in value[0] for field in FILE_FIELDS):
                yield _entry({"filename": key, "captions": value}, f"entry {key!r}")
                continue
            split = SPLITS.get(key.lower(), "")
            for number, record in enumerate(value, 1):
                given = {"split": split} if split else {"scene": key}
                yield _entry({**given, **record}, f"entry {number} of {key!r}")
        elif isinstance(value, dict):
            yield _entry({"filename": key, **value}, f"entry {key!r}")
        elif re.search(r"\.\w{2,5}$", key):  # a file name
            yield _entry({"filename": key, "captions": value}, f"entry {key!r}")


def _join_coco(images: Any, annotations: list[Any]) -> list[dict[str, Any]]:
    """Join the images and the captions of COCO's layout."""
    if not isinstance(images, list) or not all(
        isinstance(image, dict) and isinstance(image.get("id"), str | int) for image in images
    ):
        raise InputError('it has "annotations" but "images" without an "id"; write captions into the images')
    captions: dict[Any, list[Any]] = {}
    for image in images:
        if image["id"] in captions:
            raise InputError(f"two images have the id {image['id']!r}; give each its own")
        captions[image["id"]] = []
    for number, annotation in enumerate(annotations, 1):
        owner = annotation.get("image_id") if isinstance(annotation, dict) else None
        if not isinstance(owner, str | int) or owner not in captions:
            raise InputError(f"annotation {number} belongs to no image (image_id {owner!r}); correct or remove it")
        captions[owner].append(annotation.get("caption"))
    return [{**image, "captions": captions[image["id"]]} for image in images]


def _entry(record: Any, where: str) -> Entry:
    if not isinstance(record, dict):
        raise InputError(f"{where} is a {_kind(record)}; {_EXPECTED}")
    field = next((name for name in FILE_FIELDS if record.get(name)), None)
    file = record.get(field) if field else None
    if not isinstance(file, str):
        problem = f"has a {_kind(file)} as its file name" if field else "names no image file"
        raise InputError(f"{where} {problem} (its fields: {', '.join(map(str, record)) or 'none'}); {_EXPECTED}")
    if field == "filename" and isinstance(record.get("filepath"), str):  # Karpathy's COCO: the folder in `filepath`
        file = f"{record['filepath']}/{file}"
    where = f"{where} ({file!r})"
    captions = tuple(text for caption in _captions(record) for text in _texts(caption, where))
    labels = _labels(record, where)
    if not captions and not labels:
        raise InputError(f"{where} has no caption; remove it from the annotation file")
    split = next((record[name] for name in SPLIT_FIELDS if record.get(name) is not None), "")
    if not isinstance(split, str):
        raise InputError(f"{where} has a {_kind(split)} as its split; write train, val or test")
    split = split.strip()
    return Entry(file, captions, SPLITS.get(split.lower(), split), _scene(record, where), labels)


def _captions(record: Mapping[str, Any]) -> list[Any]:
    """List the values of the caption field, or of those of one caption each."""
    for name in CAPTION_FIELDS:
        if record.get(name):
            value = record[name]
            several = value if isinstance(value, list) else [value]
            return several + [
                more for key, more in record.items() if re.fullmatch(rf"{name}[ _-]?\d+", str(key).lower())
            ]
    return [value for name, value in record.items() if _NUMBERED_CAPTION.fullmatch(str(name).lower())]


def _texts(caption: Any, where: str) -> Iterator[str]:
    """Check a caption and remove superfluous spaces; nothing comes of an empty one."""
    if isinstance(caption, dict):
        caption = next((caption[key] for key in _TEXT_KEYS if caption.get(key) is not None), None)
    if caption is None:
        return
    if not isinstance(caption, str):
        raise InputError(f"{where} has a {_kind(caption)} as a caption; write each caption as one text")
    try:
        caption.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where} has a caption with half of a surrogate pair at character {error.start}; write it as UTF-8"
        ) from error
    text = " ".join(caption.split())
    if text:
        yield text


def _labels(record: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """List the labels of an image without a field of captions: its class and finer `kind`, or `tags` in their place."""
    if any(name in CAPTION_FIELDS or _NUMBERED_CAPTION.fullmatch(str(name).lower()) for name in record):
        return ()
    tags = record.get("tags")
    if isinstance(tags, list) and tags and all(isinstance(tag, str) for tag in tags):
        return tuple(tags)
    kind = record.get("kind")
    return tuple(label for label in (_scene(record, where), kind if isinstance(kind, str) else None) if label)


def _scene(record: Mapping[str, Any], where: str) -> str | None:
    for name in SCENE_FIELDS:
        value = record.get(name)
        if isinstance(value, list) and name == "txtclasses":
            value = value[0] if value else None
        number = isinstance(value, int) and name != "scene"  # of a class, which says nothing
        if value is None or value == "" or number:
            continue
        if not isinstance(value, str):
            raise InputError(f"{where} has a {_kind(value)} as its {name}; write the scene category as one text")
        return value.strip()
    return None


def _kind(value: Any) -> str:
    names = {list: "list", dict: "object", str: "text", bool: "true or false", int: "number", float: "number"}
    return names.get(type(value), "null")
