"""A soft prior over scene categories, predicted from the words of a query.

A contrastive model says P(tile | query) ~ exp(scale cos(tile, query)). With a prior over categories, raised to a
strength, P(category | query)^strength, a tile of category c scores cos + strength log P(c | query) / scale: an offset
in units of the cosine, which `nearest_tiles(category_offsets=...)` adds. P(c | query) comes from the softmax of
scale cos(query, prompt of c), by the text tower alone, without training; and from the probability that the label of a
tile is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..models.prompts import prompt
from ..models.text_encoder import TextEncoder

DEFAULT_STRENGTH = 0.0
"""On RSICD validation, finding pictures by text gained 0.2 of mean recall with right labels and lost
0.6 with 30 % of them wrong, at strength 0.2 (docs/concepts/model.md): too little to be switched on unasked."""
_LABEL_ERROR_RATE = 0.3
"""Assumed probability that a tile's label is wrong: it bounds what an unlikely category can cost."""


def category_offsets(
    encoder: TextEncoder, text: str, categories: Sequence[str], strength: float = DEFAULT_STRENGTH
) -> dict[str | None, float]:
    """Compute what is added to the score of each category's tiles, in units of the cosine; the likeliest gets 0.

    Args:
        encoder: that encodes the query and the category prompts.
        text: the query.
        categories: of the store. A tile without one (None) counts as of each equally.
        strength: 0 ignores the prior, 1 applies it in full.

    Raises:
        InputError: `strength` is not between 0 and 1.
    """
    check_strength(strength)
    if strength == 0 or not categories:
        return {}
    prompts = encoder.encode_texts([prompt(c) for c in categories])
    log_p = log_prior(encoder.encode_texts([text]), prompts, encoder.scale)[0]
    offsets = strength * (np.append(log_p, -np.log(len(categories))) - log_p.max()) / encoder.scale
    return dict(zip([*categories, None], offsets.tolist(), strict=True))


def log_prior(queries: NDArray[np.float32], prompts: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """Compute log P(label | query), (n, categories), from unit vectors (n, d) and (categories, d).

    The label of a tile is the category that the words ask for, or with probability 0.3 any.
    """
    logits = scale * (queries.astype(np.float64) @ prompts.astype(np.float64).T)
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    log_p: NDArray[np.float64] = np.log((1 - _LABEL_ERROR_RATE) * p + _LABEL_ERROR_RATE / len(prompts))
    return log_p


def check_strength(strength: float) -> None:
    """Refuse a strength that is not 0 to 1.

    Raises:
        InputError: it is not.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"category prior {strength} is not between 0 and 1; give for instance 0.2")
