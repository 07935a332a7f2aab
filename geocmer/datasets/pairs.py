"""Sets of captioned images: RSICD, RSITMD, UCM and Sydney annotation files in the Karpathy style."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..imagery.images import ImageFile, ImageSource


@dataclass(frozen=True, slots=True)
class Pair:
    """One image with all its captions."""

    picture: ImageSource
    captions: tuple[str, ...]
    split: str
    scene: str | None = None
    """Scene category ("airport"), where the annotation or the file name gives one."""


@dataclass(frozen=True, slots=True)
class PairSet:
    """Captioned images in the order of their file."""

    name: str
    pairs: tuple[Pair, ...]

    def __len__(self) -> int:
        return len(self.pairs)

    def split(self, name: str) -> PairSet:
        """Take the images of one split.

        Raises:
            InputError: no image belongs to it.
        """
        chosen = tuple(p for p in self.pairs if p.split == name)
        if not chosen:
            names = ", ".join(sorted({p.split for p in self.pairs}))
            raise InputError(f"{self.name} has no {name!r} split; its splits are: {names}")
        return replace(self, pairs=chosen)

    def captions(self) -> tuple[list[str], NDArray[np.int64]]:
        """List all captions, and the index of each caption's image, (captions,)."""
        texts = [c for p in self.pairs for c in p.captions]
        owner = np.repeat(np.arange(len(self.pairs)), [len(p.captions) for p in self.pairs])
        return texts, owner.astype(np.int64)


def load_pairs(path: str | Path, images: str | Path | None = None) -> PairSet:
    """Read an annotation file.

    Args:
        path: `{"images": [{"filename", "split", "sentences": [{"raw"}, ...]}]}`, or with `captions` (a list of texts)
            for `sentences`, and optionally `path` (relative to the file) and `scene`.
        images: folder of the images; by default the file's own folder and its `images` folder.

    Raises:
        InputError: the file is missing, is no such JSON, or images it names are missing.
    """
    path = Path(path)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["images"]
        if not entries:
            raise InputError(f"{path} lists no images")
        folders = [Path(images)] if images else [path.parent, path.parent / "images"]
        pairs = tuple(_pair(entry, folders) for entry in entries)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the annotation file of a captioned set (JSON)") from error
    except (UnicodeDecodeError, json.JSONDecodeError, IsADirectoryError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not an annotation file ({type(error).__name__}: {error}); expected JSON with "
            '{"images": [{"filename", "split", "sentences": [{"raw"}]}]}'
        ) from error
    _check_files(path, pairs)
    return PairSet(path.parent.name or path.stem, pairs)


def _pair(entry: dict[str, Any], folders: Sequence[Path]) -> Pair:
    name = str(entry.get("path") or entry["filename"])
    raw = entry.get("captions") or [s["raw"] for s in entry["sentences"]]
    captions = tuple(" ".join(str(c).split()) for c in raw)
    captions = tuple(c for c in captions if c)
    if not captions:
        raise InputError(f"image {name!r} has no caption; remove it from the annotation file")
    found = next((f / name for f in folders if (f / name).is_file()), folders[0] / name)
    split = {"valid": "val", "validation": "val"}.get(str(entry["split"]), str(entry["split"]))
    classes = entry.get("txtclasses") or [None]  # RSICD's own field names a class where the file name does not
    return Pair(ImageFile(found), captions, split, entry.get("scene") or classes[0])


def _check_files(path: Path, pairs: Sequence[Pair]) -> None:
    files = [p.picture.path for p in pairs if isinstance(p.picture, ImageFile)]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(pairs)} images named by {path} are missing, the first is {missing[0]}; "
            "give their folder with --images"
        )
