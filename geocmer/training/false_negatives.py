"""Which texts of a batch may describe a picture that they were not written for, and so must not count as negatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..datasets.label_captions import label_key
from ..datasets.pairs import Pair
from ..models.encoder import l2_normalize


class FalseNegatives:
    """Judges pairs of a batch by shared labels, and where a label is involved by what the text tower says of the words.

    A caption that was written for one picture is specific enough to be a negative of others; "a river" is not.

    Args:
        pairs: all training pictures, n.
        text_rows: the row of each caption of all pictures in the text features.
        owner: the picture of each caption.
        vectors: pooled vectors of the text features, (texts, channels).
        similar: cosine from which on a text may describe a picture with a caption of its own like it.
    """

    def __init__(
        self, pairs: Sequence[Pair], text_rows: NDArray[np.int64], owner: NDArray[np.int64],
        vectors: NDArray[np.float32], similar: float,
    ) -> None:  # fmt: skip
        names = sorted({label_key(label) for pair in pairs for label in pair.labels})
        number = {name: i for i, name in enumerate(names)}
        self._labels = np.zeros((len(pairs), len(names)), bool)
        for i, pair in enumerate(pairs):
            self._labels[i, [number[label_key(label)] for label in pair.labels]] = True
        self._any = bool(names)
        self._similar = similar
        self._vectors = l2_normalize(vectors)
        first = np.searchsorted(owner, np.arange(len(pairs)))
        count = np.bincount(owner, minlength=len(pairs))
        self._captions = text_rows[first[:, None] + np.arange(_MAX_IMAGE_CAPTIONS) % np.maximum(count, 1)[:, None]]

    def __call__(self, rows: NDArray[np.int64], owner: NDArray[np.int64], texts: NDArray[np.int64]) -> torch.Tensor:
        """Tell which texts may describe which pictures, (n, m): True where text m may describe picture n.

        Args:
            rows: pictures, (n,).
            owner: the picture of each text, (m,).
            texts: rows of the texts, (m,).
        """
        if not self._any:
            return torch.zeros(len(rows), len(texts), dtype=torch.bool)
        image_labels, text_labels = self._labels[rows], self._labels[owner]
        shared = np.asarray(image_labels.astype(np.float32) @ text_labels.T.astype(np.float32)) > 0
        own = torch.from_numpy(self._vectors[self._captions[rows]])
        alike = (own @ torch.from_numpy(self._vectors[texts]).T).amax(1).numpy() > self._similar
        labelled = np.logical_or.outer(image_labels.any(1), text_labels.any(1))
        return torch.from_numpy(shared | (alike & labelled))


_MAX_IMAGE_CAPTIONS = 5
"""Captions of a picture that a text is compared with."""
