"""The similarity matrix of images and captions: the one that every evaluation ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._types import Progress
from ..datasets.pairs import PairSet
from ..models.encoder import Encoder

IMAGE_BATCH = 32
"""Images that are encoded at once."""
TEXT_BATCH = 256
"""Texts that are encoded at once."""


class PairEncoder(Protocol):
    """Embeds both sides: an encoder, or a baseline that is being trained."""

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB images (n, height, width, 3) as unit vectors (n, dim)."""

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as unit vectors (n, dim)."""


class EncodeOnce:
    """An encoder that encodes the same texts once, however often it is asked."""

    def __init__(self, encoder: Encoder) -> None:
        self.scale, self.encode_images = encoder.scale, encoder.encode_images
        self._encode = cache(lambda texts: encoder.encode_texts(list(texts)))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as unit vectors (n, dim)."""
        vectors: NDArray[np.float32] = self._encode(tuple(texts))
        return vectors


def similarity_matrix(
    image_vectors: Iterable[NDArray[np.float32]],
    texts: Sequence[Any] | NDArray[Any],
    encode: Callable[[NDArray[Any]], NDArray[np.float32]],
    batch: int = TEXT_BATCH,
) -> NDArray[np.float32]:
    """Compute the cosines (images, texts) of unit vectors.

    Args:
        image_vectors: batches (n, dim).
        texts: (captions,) texts, or numbers that stand for them. Equal ones are encoded once, so that their scores are
            equal to the last bit, and ties stay ties.
        encode: distinct texts (m,) -> unit vectors (m, dim).
        batch: texts that are encoded at once.
    """
    unique, inverse = np.unique(texts, return_inverse=True)
    text_vectors = np.concatenate([encode(unique[i : i + batch]) for i in range(0, len(unique), batch)])
    return (np.concatenate(list(image_vectors)) @ text_vectors.T)[:, inverse.reshape(-1)]


def pair_similarity(
    encoder: PairEncoder, pairs: PairSet, side: int, progress: Progress | None = None,
    questions: Sequence[str] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:  # fmt: skip
    """Compute the cosine of every image of a captioned set with every caption, or with every question.

    Args:
        encoder: embeds both sides.
        pairs: the set.
        side: side of the square that images are resized to, pixels.
        progress: (done, total) images.
        questions: texts to compare with in place of the captions.

    Returns:
        (images, captions or questions), and the index of each caption's image (captions,).
    """

    def image_vectors() -> Iterable[NDArray[np.float32]]:
        for start in range(0, len(pairs), IMAGE_BATCH):
            images = [pair.image.pixels(side) for pair in pairs.pairs[start : start + IMAGE_BATCH]]
            yield encoder.encode_images(np.stack(images))
            if progress:
                progress(min(start + IMAGE_BATCH, len(pairs)), len(pairs))

    texts, owner = pairs.captions()
    asked = texts if questions is None else questions
    return similarity_matrix(image_vectors(), asked, lambda some: encoder.encode_texts(some.tolist())), owner
