"""Sets of captioned images, some of which have labels only, from which their captions are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..imagery.images import ImageSource
from .label_captions import label_captions

_VALIDATION_STEP = 8
"""One image in so many is for validation where a set has no split for it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One image with all its captions."""

    image: ImageSource
    captions: tuple[str, ...]
    split: str
    """`train`, `val`, `test` or another name; empty where the annotation gives none."""
    scene: str | None = None
    """Scene category ("airport"), where the annotation gives one."""
    labels: tuple[str, ...] = ()
    """Labels of an image that has no captions of its own; its captions are made of them. Training never takes images
    that share a label for negatives of each other."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What it is said to be of: its labels, or its scene where it has none."""
        return self.labels or ((self.scene,) if self.scene else ())


@dataclass(frozen=True, slots=True)
class PairSet:
    """Captioned images in the order of their file."""

    name: str
    pairs: tuple[Pair, ...]
    ground_m: tuple[float, ...] = ()
    """Least and greatest side of the ground in a training image, metres; empty where that is not known."""

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

    def has_split(self, name: str) -> bool:
        """Tell whether an image belongs to a split."""
        return any(p.split == name for p in self.pairs)

    def with_validation(self) -> PairSet:
        """Return the set, or, if it has no `val` split, one in which every eighth training image belongs to it."""
        if self.has_split("val"):
            return self
        train = [i for i, p in enumerate(self.pairs) if p.split == "train"]
        held = set(train[_VALIDATION_STEP - 1 :: _VALIDATION_STEP])
        pairs = tuple(replace(p, split="val") if i in held else p for i, p in enumerate(self.pairs))
        return replace(self, pairs=pairs)

    def with_word(self, word: str) -> PairSet:
        """Take the images with a caption that has a word beginning with `word`, as images labelled with it."""
        start = word.lower()
        found = [p for p in self.pairs if any(w.startswith(start) for c in p.captions for w in c.lower().split())]
        pairs = tuple(replace(p, captions=label_captions([word], seed), labels=(word,)) for seed, p in enumerate(found))
        return PairSet(f"{self.name} {word}", pairs, self.ground_m)

    def sample(self, count: int, seed: int = 0) -> PairSet:
        """Draw so many training images, or take all where there are fewer; they keep their order."""
        train = self.split("train").pairs
        some = np.sort(np.random.default_rng(seed).permutation(len(train))[:count])
        return replace(self, name=f"{self.name} sample", pairs=tuple(train[i] for i in some))

    @classmethod
    def joined(cls, sets: Sequence[PairSet]) -> PairSet:
        """Put several sets one after the other; how much ground is in an image is known if it is of all of them."""
        sides = [side for s in sets for side in s.ground_m]
        ground = (min(sides), max(sides)) if sides and all(s.ground_m for s in sets) else ()
        return cls(" + ".join(s.name for s in sets), tuple(p for s in sets for p in s.pairs), ground)

    def captions(self) -> tuple[list[str], NDArray[np.int64]]:
        """List all captions, and the index of each caption's image, (captions,)."""
        texts = [c for p in self.pairs for c in p.captions]
        owner = np.repeat(np.arange(len(self.pairs)), [len(p.captions) for p in self.pairs])
        return texts, owner.astype(np.int64)
