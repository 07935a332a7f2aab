"""The label modes of an evaluation, never mixed: which scene categories it is allowed to use.

`none`: words and pixels alone. `predicted`: the images' categories are known, as a land-cover layer gives them; the
captions' are predicted from their words. `oracle`: the captions' are known too, which leaks the class of the answer: an
upper bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..datasets.pairs import PairSet
from ..models.encoder import Encoder
from ..models.prompts import prompt
from ..search.category_prior import check_strength, log_prior
from .similarity import TEXT_BATCH, EncodeOnce

_OTHER_CLASS_PENALTY = 10
"""Taken from the cosine of an image of another class than the caption's, in the mode `oracle`: more than any cosine."""


def label_mode_scores(
    encoder: Encoder | EncodeOnce,
    pairs: PairSet,
    similarity: NDArray[np.float32],
    owner: NDArray[np.int64],
    strength: float,
) -> dict[str, NDArray[np.float32]]:
    """Compute the similarity matrix of a captioned set in each label mode that its annotation allows.

    Args:
        encoder: the one that made the matrix.
        pairs: n images; without a scene for each of them, `none` is the only mode.
        similarity: cosines (n, captions).
        owner: index of each caption's image, (captions,).
        strength: of the category prior, for `predicted`.

    Returns:
        Mode -> scores (n, captions).
    """
    check_strength(strength)
    scenes = [pair.scene for pair in pairs.pairs]
    known = [scene for scene in scenes if scene is not None]
    if len(known) < len(scenes):
        return {"none": similarity}
    names, label = np.unique(known, return_inverse=True)
    texts, _ = pairs.captions()
    prompts = encoder.encode_texts([prompt(str(name)) for name in names])
    unique, at = np.unique(texts, return_inverse=True)
    starts = range(0, len(unique), TEXT_BATCH)
    text_vectors = np.concatenate([encoder.encode_texts(unique[i : i + TEXT_BATCH].tolist()) for i in starts])
    log_p = log_prior(text_vectors, prompts, encoder.scale)
    gains = strength * (log_p - log_p.max(axis=1, keepdims=True)) / encoder.scale
    predicted = similarity + gains[at][:, label].T.astype(np.float32)
    other_class = label[:, None] != label[owner][None, :]
    oracle = np.where(other_class, similarity - _OTHER_CLASS_PENALTY, similarity)
    return {"none": similarity, "predicted": predicted, "oracle": oracle}
