"""Sets of captioned images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..imagery.images import ImageSource


@dataclass(frozen=True, slots=True)
class Pair:
    """One image with all its captions."""

    picture: ImageSource
    captions: tuple[str, ...]
    split: str
    """`train`, `val`, `test` or another name; empty where the annotation gives none."""
    scene: str | None = None
    """Scene category ("airport"), where the annotation gives one."""


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
            names = ", ".join(sorted({p.split for p in self.pairs if p.split}))
            known = f"its splits are: {names}" if names else "it gives none; add a field 'split' to each image"
            raise InputError(f"{self.name} has no {name!r} split; {known}")
        return replace(self, pairs=chosen)

    def captions(self) -> tuple[list[str], NDArray[np.int64]]:
        """List all captions, and the index of each caption's image, (captions,)."""
        texts = [c for p in self.pairs for c in p.captions]
        owner = np.repeat(np.arange(len(self.pairs)), [len(p.captions) for p in self.pairs])
        return texts, owner.astype(np.int64)
