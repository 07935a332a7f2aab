"""Measuring an encoder in one call: captioned images in, rows of recall out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._types import Progress
from ..datasets.annotations import load_pairs
from ..datasets.pairs import PairSet
from ..models.encoder import Encoder
from .label_modes import label_mode_scores
from .recall import recall
from .similarity import pair_similarity


def evaluate(
    pairs: str | Path | PairSet,
    encoder: Encoder | None = None,
    *,
    split: str = "test",
    images: str | Path | None = None,
    category_prior: float = 0.2,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Measure R@1, R@5, R@10 both ways and their mean, mR, of an encoder on one split of captioned images.

    Args:
        pairs: annotation file of a captioned set, or the set itself.
        encoder: the bundled one if None.
        split: train, val or test.
        images: folder of the images.
        category_prior: strength of the prior in the rows `labels: predicted`, 0 to 1.
        seed: of the order of ties.
        progress: called with (done, total) pictures.

    Returns:
        A row for each mode of labels and each way to count ties; see the page on the command `evaluate`.

    Raises:
        GeocmerError: the pairs cannot be read, or have no such split.
    """
    data = pairs if isinstance(pairs, PairSet) else load_pairs(Path(pairs), Path(images) if images else None)
    data = data.split(split)
    encoder = encoder or Encoder.load()
    similarity, owner = pair_similarity(encoder, data, encoder.backbone.size, progress)
    return [
        {"labels": mode, "ties": ties, **recall(scores, owner, ties, seed).to_json()}
        for mode, scores in label_mode_scores(encoder, data, similarity, owner, category_prior).items()
        for ties in ("random", "worst")
    ]
