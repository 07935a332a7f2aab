"""What an adapter is trained on: the captions of one or several sets, and the frozen features of images and texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .._types import Progress
from ..datasets.pairs import Pair, PairSet
from ..evaluation.class_retrieval import class_questions
from ..evaluation.recall import recall
from ..models.adapter import Adapter
from ..models.backbone import Backbone
from ..models.prompts import variants
from .config import TrainConfig
from .distributed import barrier, rank
from .false_negatives import FalseNegatives
from .feature_cache import ImageFeatures, JoinedImages, UncachedImages, image_features
from .sampling import epoch_order, set_shares
from .scores import Accuracy, Score, Scores, distinct_names
from .text_features import TextFeatures, text_features
from .validation import similarity


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """Validation images of one set with the texts that they are compared with.

    Attributes:
        name: of the set.
        share: of the set in what is trained on.
        images: their features.
        texts: captions, or the words of the classes of a labelled set, (m,).
        owner: index of each caption's image, (m,).
        correct: whether a class is a label of an image, (images, m); None where the texts are captions.
    """

    name: str
    share: float
    images: ImageFeatures
    texts: tuple[str, ...]
    owner: NDArray[np.int64]
    correct: NDArray[np.bool_] | None

    @classmethod
    def of(cls, pairs: PairSet, share: float, images: ImageFeatures) -> ValidationSet:
        """Take the captions of a set, or the words of its labels if all its images have labels."""
        questions = class_questions(pairs)
        if questions is None:
            captions, owner = pairs.captions()
            return cls(pairs.name, share, images, tuple(captions), owner, None)
        words, correct = questions
        return cls(pairs.name, share, images, words, np.arange(len(words)), correct)

    def score(self, adapter: Adapter, texts: TextFeatures) -> Score:
        """Measure an adapter: the recall of captions, or the accuracy of class words."""
        count = int(self.owner.max()) + 1 if self.correct is None else len(self.correct)
        cosines = similarity(adapter, self.images, texts, texts.rows(self.texts), count)
        return recall(cosines, self.owner) if self.correct is None else Accuracy.of(cosines, self.correct)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Captions and frozen features of the two splits of all sets.

    Attributes:
        train: the training pairs, those of each set after those of the one before.
        sizes: training images of each set.
        images: features of the training images.
        texts: features of every text that a step or the validation may need.
        validation: what each set is validated on.
        false_negatives: judges which texts of a batch are no negatives.
        fingerprint: hash of all images, captions and scenes, 32 hex digits.
    """

    train: PairSet
    sizes: tuple[int, ...]
    images: ImageFeatures | UncachedImages | JoinedImages
    texts: TextFeatures
    validation: tuple[ValidationSet, ...]
    false_negatives: FalseNegatives
    fingerprint: str

    @classmethod
    def prepare(
        cls, sets: Sequence[PairSet], backbone: Backbone, cfg: TrainConfig, folder: Path,
        progress: Progress | None = None, *, cache_images: bool,
    ) -> TrainingData:  # fmt: skip
        """Compute the features of both splits, or find them in `folder`. Of several processes, the first computes them.

        Args:
            sets: with a `train` split each, and a `val` split in at least one.
            backbone: the frozen towers.
            cfg: settings.
            folder: of the features.
            progress: (done, total) images of a split.
            cache_images: whether to keep the features of the training images; if not, the tower runs in every step.

        Raises:
            InputError: a split is missing, an image cannot be read, or another run is computing the same features.
        """
        if rank() > 0:
            barrier()  # the first process computes, the others read what it has kept
        splits = [pairs.split("train") for pairs in sets]
        sizes = tuple(len(split) for split in splits)
        held = [
            (pairs.split("val"), float(share))
            for pairs, share in zip(sets, set_shares(sizes, cfg.weights), strict=True)
            if len(sets) == 1 or pairs.has_split("val")
        ]
        validation = tuple(
            ValidationSet.of(val, share, image_features(backbone, val, folder, 1, progress)) for val, share in held
        )
        parts: list[ImageFeatures | UncachedImages] = [
            image_features(backbone, split, folder, cfg.views, progress)
            if cache_images
            else UncachedImages(backbone, split)
            for split in splits
        ]
        train = PairSet.joined(splits)
        captions, owner = train.captions()
        words = {text for val in validation for text in val.texts}
        texts = text_features(backbone, [*_training_texts(train, cfg), *words], folder)
        if rank() == 0:
            barrier()
        images = parts[0] if len(parts) == 1 else JoinedImages(tuple(parts), sizes)
        judge = FalseNegatives(train.pairs, texts.rows(captions), owner, texts.pooled, cfg.similar)
        fingerprint = _hash_pairs([*train.pairs, *(pair for val, _ in held for pair in val.pairs)])
        return cls(train, sizes, images, texts, validation, judge, fingerprint)

    def draw(self, count: int, cfg: TrainConfig) -> tuple[NDArray[np.int64], list[str]]:
        """Draw n training images, rows (n,), of the sets in the shares that training sees, and a caption of each."""
        rng = np.random.default_rng(cfg.seed)
        images = epoch_order(rng, self.sizes, set_shares(self.sizes, cfg.weights), count)
        captions = (self.train.pairs[image].captions for image in images)
        return images, [some[int(rng.integers(len(some)))] for some in captions]

    def score(self, adapter: Adapter) -> Score:
        """Measure an adapter on the validation images of all sets."""
        scores = [val.score(adapter, self.texts) for val in self.validation]
        if len(scores) == 1:
            return scores[0]
        names = distinct_names([val.name for val in self.validation])
        return Scores(dict(zip(names, scores, strict=True)), tuple(val.share for val in self.validation))


def _hash_pairs(pairs: Sequence[Pair]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for pair in pairs:
        digest.update(pair.image.digest())
        digest.update(repr((pair.split, pair.captions, pair.scene)).encode())
    return digest.hexdigest()


def _training_texts(train: PairSet, cfg: TrainConfig) -> set[str]:
    """List every text that a training step may draw."""
    return {
        text
        for pair in train.pairs
        for caption in pair.captions
        for text in variants(caption, pair.scene if cfg.label_share else None)
    }
