"""Measuring an encoder in one call: captioned images, or a store with land cover, in; rows of figures out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .._types import Progress
from ..datasets.annotations import load_pairs
from ..datasets.pairs import PairSet
from ..models.choose import choose_encoder
from ..models.encoder import Encoder
from ..store.store import Store
from .label_modes import label_mode_scores
from .recall import recall
from .similarity import pair_similarity
from .store_retrieval import category_scores, mean_score


def evaluate(
    pairs: str | Path | PairSet,
    encoder: Encoder | None = None,
    *,
    model: str | None = None,
    adapter: str | Path | None = None,
    device: str = "auto",
    split: str = "test",
    images: str | Path | None = None,
    category_prior: float = 0.2,
    shuffle: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure R@1, R@5, R@10 both ways and their mean, mR, of an encoder on one split of captioned images.

    Args:
        pairs: annotation file of a captioned set, or the set itself.
        encoder: one that is loaded; None: `model`, `adapter` and `device` say which, see `Encoder.load`.
        model: towers; None: those of the adapter, or the bundled ones.
        adapter: folder of an adapter.
        device: auto, cuda, mps or cpu.
        split: train, val or test.
        images: folder of the images.
        category_prior: strength of the prior in the rows `labels: predicted`, 0 to 1.
        shuffle: assign the captions to images at random, as a control.
        seed: of the order of ties, and of `shuffle`.
        progress: called with (done, total) images.
        notify: gets a line about the model, and one about how much is measured.

    Returns:
        A row for each mode of labels and each way to count ties; see the page on the command `evaluate`.

    Raises:
        GeocmerError: the pairs cannot be read or have no such split, or the model cannot be loaded.
    """
    notify = notify or (lambda _: None)
    data = pairs if isinstance(pairs, PairSet) else load_pairs(Path(pairs), Path(images) if images else None)
    data = data.split(split)
    if encoder is None:
        encoder = choose_encoder(None, model, adapter, device)
        notify(f"model {encoder.backbone.spec} on {encoder.backbone.device}")
    similarity, owner = pair_similarity(encoder, data, encoder.backbone.size, progress)
    notify(f"{data.name} {split}: {len(data)} images, {len(owner)} captions")
    if shuffle:
        owner = np.random.default_rng(seed).permutation(owner)
    return [
        {"labels": mode, "ties": ties, **recall(scores, owner, ties, seed).to_json()}
        for mode, scores in label_mode_scores(encoder, data, similarity, owner, category_prior).items()
        for ties in ("random", "worst")
    ]


def evaluate_store(
    store: Store, encoder: Encoder, *, seed: int = 0, notify: Callable[[str], None] | None = None
) -> list[dict[str, Any]]:
    """Measure how well the tiles of each land-cover category are found by its words; the last row is their mean.

    Args:
        store: tiled with land cover.
        encoder: that made its vectors.
        seed: of the order of tiles with equal scores.
        notify: gets a line where categories are codes, which are no words.

    Returns:
        A row for each category: `category`, `tiles`, `p10`, `ap`, `chance`; see `category_scores`.

    Raises:
        GeocmerError: there are no categories, no vectors, or they are another encoder's.
    """
    scores = category_scores(store.snapshot(), encoder.encode_texts, encoder.fingerprint, seed)
    codes = [score.category for score in scores if score.category.removeprefix("class ").isdigit()]
    if codes and notify:
        notify(f"warning: {', '.join(codes)} are codes, no words to ask for; tile again with --legend")
    return [score.to_json() for score in (*scores, mean_score(scores))]
