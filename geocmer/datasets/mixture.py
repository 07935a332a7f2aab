"""Several sets to be trained on together, named on one line each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from .annotations import load_pairs
from .mosaics import mosaics
from .pairs import PairSet


def load_sets(names: Sequence[str], images: Path | None = None) -> list[PairSet]:
    """Read sets.

    Args:
        names: annotation files; `FILE#word=snow` takes of a captioned set the training images with a caption that has a
            word beginning so, labelled with it; `FILE#mosaics=1500` draws so many mosaics of a labelled set's training
            images.
        images: folder of the images, of a single set; by default beside each file.

    Returns:
        The sets, in order. One of several that has no `val` split gets one, but for parts of sets.

    Raises:
        InputError: a file cannot be read, what follows the `#` is unknown, or `images` is given with several sets.
    """
    if len(names) == 1:
        return [_load(names[0], images)]
    if images is not None:
        raise InputError(f"--images {images} belongs to one annotation file, not to {len(names)}")
    sets = [_load(name, None) for name in names]
    return [pairs if "#" in name else pairs.with_validation() for name, pairs in zip(names, sets, strict=True)]


def _load(name: str, images: Path | None) -> PairSet:
    path, _, part = name.partition("#")
    pairs = load_pairs(path, images)
    if not part:
        return pairs
    kind, _, value = part.partition("=")
    if kind == "word" and value:
        found = pairs.with_word(value)
        if not found.has_split("train"):
            raise InputError(f"{name}: no training caption of {path} has a word that begins with {value!r}")
        return found.split("train")
    if kind == "mosaics" and value.isdigit() and int(value):
        drawn = mosaics(pairs, int(value))
        if not drawn.pairs:
            raise InputError(f"{name}: no training image of {path} has one label and no captions of its own")
        return drawn
    raise InputError(f"{name}: {part!r} is not known; give #word=WORD or #mosaics=NUMBER")
