"""A soft prior over scene categories, predicted from the words of a query.

A contrastive model says P(tile | query) ~ exp(scale cos(tile, query)). With a prior over categories, raised to a
strength, P(category | query)^strength, a tile of category c scores cos + strength log P(c | query) / scale: a bonus in
units of the cosine, which is what `search(weights=...)` adds. P(c | query) comes from the softmax of scale cos(query,
prompt of c), the text tower alone, nothing is trained for it; and from the chance that the label of a tile is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .embed import Encoder
from .errors import InputError
from .labels import prompt
from .pairs import PairSet
from .words import Words

MODES = ("none", "predicted", "oracle")
"""Label modes of an evaluation, never mixed. `none`: words and pixels alone. `predicted`: the pictures' categories are
known, as a land-cover layer gives them, the captions' are predicted from their words. `oracle`: those of the captions
are known too, which leaks the class of the answer: an upper bound."""

STRENGTH = 0.0
"""Default strength. On RSICD validation, finding pictures by text gained 0.2 of mean recall with right labels and lost
0.6 with 30 % of them wrong, at strength 0.2 (docs/model.md): too little to be switched on unasked."""

_WRONG = 0.3
"""Chance taken for a tile's label to be wrong: it bounds what an unlikely category can cost."""


def category_weights(
    encoder: Encoder | Words, text: str, categories: Sequence[str], strength: float = STRENGTH
) -> dict[str | None, float]:
    """What a tile of each category gains or loses for a query, in units of the cosine; the likeliest loses nothing.

    Args:
        encoder: whose text side predicts.
        text: the query.
        categories: of the store. A tile without one (None) counts as of each equally.
        strength: 0 ignores the prior, 1 takes it at its word.

    Raises:
        InputError: `strength` is not between 0 and 1.
    """
    _check(strength)
    if strength == 0 or not categories:
        return {}
    prompts = encoder.encode_texts([prompt(c) for c in categories])
    log_p = log_prior(encoder.encode_texts([text]), prompts, encoder.scale)[0]
    gains = strength * (np.append(log_p, -np.log(len(categories))) - log_p.max()) / encoder.scale
    return dict(zip([*categories, None], gains.tolist(), strict=True))


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
    _check(strength)
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


def log_prior(queries: NDArray[np.float32], prompts: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """Log of P(label | query), (n, categories), from unit vectors (n, d) and (categories, d).

    The label of a tile is the category that the words ask for, or with chance 0.3 any.
    """
    logits = scale * (queries.astype(np.float64) @ prompts.astype(np.float64).T)
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    log_p: NDArray[np.float64] = np.log((1 - _WRONG) * p + _WRONG / len(prompts))
    return log_p


def _check(strength: float) -> None:
    if not 0 <= strength <= 1:
        raise InputError(f"category prior {strength} is not a share; give 0 to 1")
