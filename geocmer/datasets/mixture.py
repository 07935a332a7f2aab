"""Several sets to be trained on together, named on one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import InputError
from .annotations import load_pairs
from .mosaics import mosaics
from .pairs import PairSet
from .weather import clouds, snow

_DRAWN: dict[str, tuple[Callable[[PairSet, int], PairSet], str]] = {
    "mosaics": (mosaics, "one label and no captions of its own"),
    "sample": (PairSet.sample, "captions"),
    "snow": (snow, "a label or scene of open land or water, as mountain, forest or river"),
    "clouds": (clouds, "a label or scene"),
}
"""What is drawn of a set's training images, and what these must have."""


def load_sets(names: Sequence[str], images: Path | None = None) -> list[PairSet]:
    """Read sets.

    Args:
        names: annotation files, or parts of one, made of its training images: `FILE#word=snow` takes those with a
            caption that has a word beginning so, labelled with it; `FILE#sample=300` draws so many, and
            `FILE#mosaics=1500` so many mosaics of images with labels; `FILE#snow=300` and `FILE#clouds=300` paint snow
            and clouds on so many with labels or scenes.
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
    return [_load(name, None) if "#" in name else _load(name, None).with_validation() for name in names]


def _load(name: str, images: Path | None) -> PairSet:
    path, mark, part = name.partition("#")
    pairs = load_pairs(path, images)
    if not mark:
        return pairs
    pairs = pairs.with_validation()  # what is made of training images must not hold one that is validated on
    kind, _, value = part.partition("=")
    if kind == "word" and value:
        found = pairs.with_word(value)
        if not found.has_split("train"):
            raise InputError(f"{name}: no training caption of {path} has a word that begins with {value!r}")
        return found.split("train")
    if kind in _DRAWN and value.isdigit() and int(value):
        draw, needed = _DRAWN[kind]
        drawn = draw(pairs, int(value))
        if not drawn.pairs:
            raise InputError(f"{name}: no training image of {path} has {needed}")
        return drawn
    raise InputError(f"{name}: {part!r} is not known; give #word=WORD, or one of {', '.join(_DRAWN)}, as #snow=300")
