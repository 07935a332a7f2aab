"""The label modes of an evaluation: how much it knows of scene categories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..datasets.pairs import PairSet
from ..models.encoder import Encoder
from ..models.prompts import prompt
from ..search.category_prior import check_strength, log_prior

MODES = ("none", "predicted", "oracle")
"""Label modes of an evaluation, never mixed. `none`: words and pixels alone. `predicted`: the pictures' categories are
known, as a land-cover layer gives them, the captions' are predicted from their words. `oracle`: those of the captions
are known too, which leaks the class of the answer: an upper bound."""


def labelled(
    encoder: Encoder, pairs: PairSet, similarity: NDArray[np.float32], owner: NDArray[np.int64], strength: float
) -> dict[str, NDArray[np.float32]]:
    """The similarity matrix of a captioned set in each label mode that its annotation allows.

    Args:
        encoder: that made the matrix.
        pairs: n images; without a scene for each of them, `none` is the only mode.
        similarity: cosines (n, captions).
        owner: index of each caption's image, (captions,).
        strength: of the prior, for `predicted`.

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
    said = np.concatenate([encoder.encode_texts(unique[i : i + 256].tolist()) for i in range(0, len(unique), 256)])
    log_p = log_prior(said, prompts, encoder.scale)
    gains = strength * (log_p - log_p.max(axis=1, keepdims=True)) / encoder.scale
    predicted = similarity + gains[at][:, label].T.astype(np.float32)
    apart = label[:, None] != label[owner][None, :]
    return {"none": similarity, "predicted": predicted, "oracle": np.where(apart, similarity - 10, similarity)}
