"""The batches of a training run: which images, views and captions each step sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datasets.pairs import PairSet
from ..models.prompts import augment
from .config import TrainConfig
from .sampling import epoch_order, set_shares


@dataclass(frozen=True, slots=True)
class Batch:
    """n images, each under one view and with k captions."""

    rows: NDArray[np.int64]
    """Row of each image in the training set, (n,)."""
    views: NDArray[np.int64]
    """View of each image, see `views.view`, (n,)."""
    texts: tuple[str, ...]
    """The captions, k of the first image, then k of the next, (n x k)."""
    text_ids: NDArray[np.int64]
    """Captions as they are annotated, equal but for case, have equal ids, (n x k)."""
    owner: NDArray[np.int64]
    """Row of each caption's image, (n x k)."""


class BatchSampler:
    """Draws the batches of each epoch.

    Attributes:
        steps: batches in an epoch; images that fill no batch are left out of it.

    Args:
        train: all training images, those of each set after those of the one before.
        cfg: settings.
        sizes: images of each set; none: they are one set.
    """

    def __init__(self, train: PairSet, cfg: TrainConfig, sizes: Sequence[int] = ()) -> None:
        self._cfg = cfg
        self._sizes = tuple(sizes) or (len(train),)
        self._shares = set_shares(self._sizes, cfg.weights)
        self._texts, self._owner = train.captions()
        self._scenes = [pair.scene if cfg.label_share else None for pair in train.pairs]
        self._text_ids = np.unique([text.lower() for text in self._texts], return_inverse=True)[1].reshape(-1)
        self._captions = np.bincount(self._owner, minlength=len(train))
        self._first_caption = np.cumsum(self._captions) - self._captions
        self._batch = min(cfg.batch, len(train))
        self.steps = len(train) // self._batch

    def epoch(self, number: int) -> Iterator[Batch]:
        """Draw the batches of an epoch, from the seed and its number alone: a resumed run sees the same ones."""
        cfg, rng = self._cfg, np.random.default_rng([self._cfg.seed, number])
        order = epoch_order(rng, self._sizes, self._shares, self.steps * self._batch)
        for step in range(self.steps):
            rows = order[step * self._batch : (step + 1) * self._batch]
            views = rng.integers(0, cfg.views, len(rows))
            chosen = self._draw_captions(rng, rows).reshape(-1)
            owner = self._owner[chosen]
            texts = tuple(
                augment(self._texts[caption], self._scenes[image], rng, cfg.label_share)
                for caption, image in zip(chosen, owner, strict=True)
            )
            yield Batch(rows, views, texts, self._text_ids[chosen], owner)

    def _draw_captions(self, rng: np.random.Generator, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Draw captions of the images in `rows`, (n, k), all different where an image has so many."""
        counts = self._captions[rows, None]
        keys = rng.random((len(rows), int(self._captions.max())))
        keys[np.arange(keys.shape[1]) >= counts] = 2  # sorts what is beyond an image's own captions to the end
        at = np.arange(self._cfg.captions) % counts
        return self._first_caption[rows, None] + np.take_along_axis(keys.argsort(1), at, 1)
