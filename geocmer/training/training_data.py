"""What an adapter is trained on: the captions of a set and the frozen features of its images and texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .._types import Progress
from ..datasets.pairs import Pair, PairSet
from ..evaluation.recall import Recall
from ..models.adapter import Adapter
from ..models.backbone import Backbone
from ..models.prompts import variants
from .config import TrainConfig
from .distributed import barrier, rank
from .feature_cache import ImageFeatures, TextFeatures, UncachedImages, image_features, text_features
from .validation import measure


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Captions and frozen features of the two splits.

    Attributes:
        train: the training pairs.
        images: features of their images.
        val_images: features of the validation images.
        texts: features of every text that a step or the validation may need.
        val_rows: row of each validation caption in `texts`.
        val_owner: index of each validation caption's image.
        fingerprint: hash of all images, captions and scenes, 32 hex digits.
    """

    train: PairSet
    images: ImageFeatures | UncachedImages
    val_images: ImageFeatures
    texts: TextFeatures
    val_rows: NDArray[np.int64]
    val_owner: NDArray[np.int64]
    fingerprint: str

    @classmethod
    def prepare(
        cls, train: PairSet, val: PairSet, backbone: Backbone, cfg: TrainConfig, folder: Path,
        progress: Progress | None = None, *, cache_images: bool,
    ) -> TrainingData:  # fmt: skip
        """Compute the features of both splits, or find them in `folder`. Of several processes, the first computes them.

        Args:
            train: training pairs.
            val: validation pairs.
            backbone: the frozen towers.
            cfg: settings.
            folder: of the features.
            progress: (done, total) images.
            cache_images: whether to keep the features of the training images; if not, the tower runs in every step.

        Raises:
            InputError: an image cannot be read, or another run is computing the same features.
        """
        if rank() > 0:
            barrier()  # the first process computes, the others read what it has kept
        val_images = image_features(backbone, val, folder, 1, progress)
        images: ImageFeatures | UncachedImages = UncachedImages(backbone, train)
        if cache_images:
            images = image_features(backbone, train, folder, cfg.views, progress)
        val_captions, val_owner = val.captions()
        texts = text_features(backbone, [*_training_texts(train, cfg), *val_captions], folder)
        if rank() == 0:
            barrier()
        return cls(
            train,
            images,
            val_images,
            texts,
            texts.rows(val_captions),
            val_owner,
            _hash_pairs([*train.pairs, *val.pairs]),
        )

    def recall(self, adapter: Adapter) -> Recall:
        """Measure an adapter on the validation split."""
        device = adapter.log_scale.device
        return measure(adapter, self.val_images, self.texts, self.val_rows, self.val_owner, device)


def _hash_pairs(pairs: Sequence[Pair]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for pair in pairs:
        digest.update(pair.picture.digest())
        digest.update(repr((pair.split, pair.captions, pair.scene)).encode())
    return digest.hexdigest()


def _training_texts(train: PairSet, cfg: TrainConfig) -> set[str]:
    """Every text that a training step may draw."""
    return {
        text
        for pair in train.pairs
        for caption in pair.captions
        for text in variants(caption, pair.scene if cfg.label_share else None)
    }
