"""Measuring an encoder in one call: images with captions or labels, or a store with land cover, in; figures out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .._files import require_writable_folder
from .._types import Progress
from ..datasets.annotations import load_pairs
from ..datasets.pairs import PairSet
from ..models.choose import choose_encoder
from ..models.encoder import Encoder
from ..search.category_prior import check_strength
from ..store.store import Store
from .class_retrieval import class_questions, class_scores
from .label_modes import label_mode_scores
from .panels import caption_panels, class_panels, write_panels
from .recall import recall
from .similarity import EncodeOnce, pair_similarity
from .store_retrieval import category_scores, mean_score, store_panels


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
    panels: str | Path | None = None,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure how well an encoder finds the images of one split by words.

    Of a captioned set: R@1, R@5, R@10 both ways and their mean, mR. Of a labelled set, whose images have labels and no
    captions: how well each class is found by the words of its label.

    Args:
        pairs: annotation file of a set, or the set itself.
        encoder: one that is loaded; None: `model`, `adapter` and `device` say which, see `Encoder.load`.
        model: towers; None: those of the adapter, or the bundled ones.
        adapter: folder of an adapter.
        device: auto, cuda, mps or cpu.
        split: train, val or test. Of a set without `val`, every eighth training image is it, as in training.
        images: folder of the images.
        category_prior: strength of the prior in the rows `labels: predicted`, 0 to 1.
        shuffle: assign the captions to images at random, as a control.
        seed: of the order of ties, of `shuffle`, and of the captions that are drawn.
        panels: folder for a picture of right and wrong answers, `NAME-SPLIT.jpg`.
        progress: called with (done, total) images.
        notify: gets a line about the model, and one about how much is measured.

    Returns:
        Of a captioned set a row for each mode of labels and each way to count ties, of a labelled set one for each
        class and their mean; see the page on the command `evaluate`.

    Raises:
        GeocmerError: the pairs cannot be read or have no such split, the model cannot be loaded, or the panels cannot
            be written.
    """
    notify = notify or (lambda _: None)
    data = pairs if isinstance(pairs, PairSet) else load_pairs(Path(pairs), Path(images) if images else None)
    if split == "val":
        data = data.with_validation()
    data = data.split(split)
    check_strength(category_prior)
    if panels:
        require_writable_folder(Path(panels), "--panels")
    if encoder is None:
        encoder = choose_encoder(None, model, adapter, device)
        notify(f"model {encoder.backbone.spec} on {encoder.backbone.device}")
    questions = class_questions(data)
    asked = None if questions is None else questions[0]
    once = EncodeOnce(encoder)
    similarity, owner = pair_similarity(once, data, encoder.backbone.size, progress, asked)
    notify(f"{data.name} {split}: {len(data)} images, {similarity.shape[1]} {'classes' if asked else 'captions'}")
    rng = np.random.default_rng(seed)
    if questions is not None:
        words, correct = questions
        correct = rng.permutation(correct) if shuffle else correct
        rows = [score.to_json() for score in class_scores(words, similarity, correct, seed)]
        drawn = class_panels(data, words, similarity, correct) if panels else []
    else:
        owner = rng.permutation(owner) if shuffle else owner
        rows = [
            {"labels": mode, "ties": ties, **recall(scores, owner, ties, seed).to_json()}
            for mode, scores in label_mode_scores(once, data, similarity, owner, category_prior).items()
            for ties in ("random", "worst")
        ]
        drawn = caption_panels(data, similarity, owner, seed) if panels else []
    if panels:
        write_panels(drawn, Path(panels), f"{data.name}-{split}")
    return rows


def evaluate_store(
    store: Store,
    encoder: Encoder,
    *,
    seed: int = 0,
    panels: str | Path | None = None,
    notify: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure how well the tiles of each land-cover category are found by its words; the last row is their mean.

    Args:
        store: tiled with land cover.
        encoder: that made its vectors.
        seed: of the order of tiles with equal scores.
        panels: folder for a picture of right and wrong answers, `NAME.jpg` after the store.
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
    if panels:
        store_panels(store, [score.category for score in scores], encoder, Path(panels))
    return [score.to_json() for score in (*scores, mean_score(scores))]
