"""Reading captioned sets: the entries of their files, the images that these name, and the split of each."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from ..errors import InputError
from ..imagery.images import ImageFile
from .ground import ground_resolution, ground_sides
from .image_files import find_image
from .label_captions import label_captions
from .layouts import SPLITS, Entry, read_layout
from .pairs import Pair, PairSet
from .records import annotation_files, read_records

_SPLIT_WORD = re.compile(rf"(?<![a-z])({'|'.join(sorted(SPLITS, key=len, reverse=True))})(?![a-z])", re.IGNORECASE)


def load_pairs(path: str | Path, images: str | Path | None = None) -> PairSet:
    """Read a captioned set.

    An entry without a split has the one that its file or the folder of its image is named after. Files whose names
    differ from the given one in the split alone (`rsitmd_train.json`, `rsitmd_val.json`) are then read with it. Images
    that have a label and no captions get captions that are made of it. A JSON file may give its ground resolution,
    metres a pixel, beside its images: `"gsd_m": 10`, or `"gsd_m": [0.2, 30]` where it varies.

    Args:
        path: annotation file in a layout of `layouts`, or a folder with `metadata.csv` or `metadata.jsonl`.
        images: folder of the images; by default the file's own folder and its `images` folder.

    Raises:
        InputError: the file is missing or has none of the layouts, images that it names are missing, an image is in
            two splits, or the ground resolution is none.
    """
    path = Path(path)
    read = {file: _read_entries(file) for file in annotation_files(path)}
    if not path.is_dir() and not any(entry.split for entry in read[path][0]):
        read |= {file: _read_entries(file) for file in _files_of_other_splits(path)}
    if not any(entries for entries, _ in read.values()):
        raise InputError(f"{path} lists no images; give the annotation file of a captioned set")
    pairs = _merge(path, {file: entries for file, (entries, _) in read.items()}, images)
    resolutions = [resolution for entries, resolution in read.values() if entries]
    ground = ground_sides([pair.image for pair in pairs if pair.split in ("train", "")], resolutions)
    return PairSet((path if path.is_dir() else path.parent).name or path.stem, pairs, ground)


def _read_entries(file: Path) -> tuple[list[Entry], tuple[float, ...]]:
    """Read the entries of a file, and its ground resolution."""
    content = read_records(file)
    try:
        return list(read_layout(content)), ground_resolution(content)
    except InputError as error:
        raise InputError(f"{file} cannot be used as a captioned set: {error}") from error


def _files_of_other_splits(path: Path) -> Iterator[Path]:
    found = _SPLIT_WORD.search(path.stem)
    if found is None:
        return
    for name, split in SPLITS.items():
        file = path.with_name(f"{path.stem[: found.start()]}{name}{path.stem[found.end() :]}{path.suffix}")
        if split != SPLITS[found[1].lower()] and file.is_file():
            yield file


def _merge(
    path: Path, entries_of: dict[Path, list[Entry]], images: str | Path | None
) -> tuple[Pair, ...]:  # fmt: skip
    """Put the captions of each image together, in the order of its first entry."""
    captions: dict[Path, list[str]] = defaultdict(list)
    first: dict[Path, Entry] = {}
    missing: dict[Path, None] = {}
    for file, entries in entries_of.items():
        folders = [Path(images)] if images else [file.parent, file.parent / "images"]
        for entry in (_with_split(entry, file, path) for entry in entries):
            image = find_image(entry.file, folders, [part for part in (entry.scene, entry.split) if part])
            if image is None:
                missing[folders[0] / entry.file] = None
                continue
            known = first.setdefault(image, entry)
            if known.split != entry.split:
                raise InputError(
                    f"image {entry.file!r} of {path} is in two splits, {known.split or 'none'!r} and "
                    f"{entry.split or 'none'!r}; keep it in one, or figures come from images that were trained on"
                )
            captions[image] += entry.captions
    if missing:
        raise InputError(
            f"{len(missing)} of {len(missing) + len(first)} images named by {path} are missing, the first is "
            f"{next(iter(missing))}; give their folder with --images"
        )
    return tuple(
        Pair(ImageFile(image), _captions(captions[image], entry), entry.split, entry.scene, entry.labels)
        for image, entry in first.items()
    )


def _captions(annotated: Sequence[str], entry: Entry) -> tuple[str, ...]:
    """Take the captions of an image, or make them of its labels, worded by its name."""
    return tuple(annotated) or label_captions(entry.labels, zlib.crc32(entry.file.encode()))


def _with_split(entry: Entry, file: Path, root: Path) -> Entry:
    """Give an entry without a split the one that its file, its file's folder or its image's is named after."""
    if entry.split:
        return entry
    folder = file.parent.name if root.is_dir() and file.parent != root else ""
    for name in (file.stem, folder, *_folders(entry.file)):
        found = _SPLIT_WORD.search(name)
        if found:
            return replace(entry, split=SPLITS[found[1].lower()])
    return entry


def _folders(name: str) -> Sequence[str]:
    """Return the folder that a relative path begins with, if there is one."""
    path = PureWindowsPath(name)
    return () if path.root or path.drive else path.parts[:-1][:1]
