"""What each picture of some sets is known to show, from its label or scene and from what its captions say.

A picture shows a concept if that is its label, or if most of its captions name it. It does not if none of its words
does. Nothing is known of one that somebody mentions, whose words overlap with those of the picture's label ("dense
residential area" in a picture of a "medium residential area"), or that means much the same ("freeway", "highway").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..models.prompts import category_words
from .label_captions import class_words, label_key
from .pairs import Pair

Alike = Callable[[Sequence[str], Sequence[str]], NDArray[np.bool_]]
"""Judges which of m texts mean much the same as which of n others, (m, n)."""
SHOWN, ABSENT, UNKNOWN = 1, 0, -1
MIN_IMAGES = 8
"""Pictures that show a concept, or it is not taken."""
NAMED_SHARE = 0.6
"""Share of the captions that name a concept, from which on the picture shows it."""
_GENERIC = frozenset(
    {"area", "land", "field", "few", "many", "some", "the", "on", "of", "and", "with", "water", "place"}
)
"""Words of concepts that say nothing of what is meant by themselves."""


@dataclass(frozen=True, slots=True)
class ShownConcepts:
    """Which pictures show which concepts.

    Attributes:
        texts: the concepts in words, c.
        known: (n, c) SHOWN, ABSENT or UNKNOWN for each picture.
    """

    texts: tuple[str, ...]
    known: NDArray[np.int8]

    @classmethod
    def of(cls, pairs: Sequence[Pair], words: Iterable[str], alike: Alike) -> Self:
        """Find the concepts that at least `MIN_IMAGES` pictures show.

        Args:
            pairs: the pictures.
            words: concepts to look for in captions, besides the labels and scenes.
            alike: judges concepts and labels.
        """
        labels = [{label_key(label) for label in pair.classes} for pair in pairs]
        named = {label_key(label): class_words(category_words(label)) for pair in pairs for label in pair.classes}
        concepts = {**{label_key(word): word for word in words}, **named}
        written = [not pair.labels for pair in pairs]  # captions made of labels say nothing more
        captions = [  # of each image, the stems of each
            [_stems(caption) for caption in pair.captions] if people else []
            for pair, people in zip(pairs, written, strict=True)
        ]
        image_stems = [
            set(chain.from_iterable([*stems, *map(_stems, pair.classes)]))
            for pair, stems in zip(pairs, captions, strict=True)
        ]
        texts, columns = [], []
        same = alike(list(concepts.values()), list(named.values()))
        synonyms = {
            key: {other for other, one in zip(named, row, strict=True) if one}
            for key, row in zip(concepts, same, strict=True)
        }
        for key, text in sorted(concepts.items()):
            stems = _stems(text)
            phrase, specific = f" {' '.join(stems)} ", set(stems) - _GENERIC or set(stems)
            column = np.zeros(len(pairs), np.int8)
            for i in range(len(pairs)):
                holding = [phrase in f" {' '.join(caption)} " for caption in captions[i]]
                share = np.mean(holding) if holding else 0
                if key in labels[i] or (share >= NAMED_SHARE and key not in named):
                    column[i] = SHOWN
                elif specific & image_stems[i] or synonyms[key] & labels[i]:
                    column[i] = UNKNOWN
            if (column == SHOWN).sum() >= MIN_IMAGES and (column == ABSENT).any():
                texts.append(text)
                columns.append(column)
        known = np.stack(columns, axis=1) if columns else np.empty((len(pairs), 0), np.int8)
        return cls(tuple(texts), known)


def _stems(text: str) -> list[str]:
    """Cut a text into words without the s of the plural."""
    words = re.findall(r"[a-z]+", class_words(category_words(text)).lower())
    return [word[:-1] if word.endswith("s") and len(word) > 3 else word for word in words]
