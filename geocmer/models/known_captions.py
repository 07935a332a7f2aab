"""Queries with words that no training caption held: drawn to the captions that mean the same.

The trained text side knows the words of its captions; the frozen text tower knows many more, and finds the sentences
that are like a query. So the vector v of a short query with such a word is drawn towards the vectors v_k of the
captions nearest to it in the tower,

    v := normalise(v + strength * normalise(sum_k w_k v_k)),   w = softmax(cos(q, c_k) / temperature)

with q and c_k the tower's pooled vectors of the query and the captions. A query of known words, or a whole sentence,
stays what it is: the nearest captions would blur what is particular about it. Nothing here needs torch.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .._files import write_atomically

Floats = NDArray[np.float32]

CAPTIONS_FILE = "captions.npz"
"""Name of the file beside an adapter's weights. Pictures are embedded without it, so no fingerprint covers it."""
STRENGTH, TEMPERATURE = 0.6, 0.05
"""Chosen on validation, on classes that were trained and on classes that were not."""
MAX_QUERY_WORDS = 5
"""Most words of a query that is drawn to its neighbours."""
MIN_TOKEN_CAPTIONS = 5
"""Distinct training captions with a token from which on it is a known one."""


@dataclass(frozen=True, slots=True)
class KnownCaptions:
    """Captions of the training, and the tokens of all of them.

    Attributes:
        pooled: unit vectors of the captions in the text tower, (k, channels).
        vectors: unit vectors of the captions in the joint space, without the dimension of the bias, (k, core_dim).
        known: whether a token of the tower is known, (tokens,); one beyond it is not.
    """

    pooled: Floats
    vectors: Floats
    known: NDArray[np.bool_]

    @classmethod
    def load(cls, folder: Path) -> KnownCaptions | None:
        """Read those of an adapter; None if it has none.

        Raises:
            OSError, ValueError, KeyError: the file is damaged.
        """
        file = folder / CAPTIONS_FILE
        if not file.exists():
            return None
        with np.load(file, allow_pickle=False) as arrays:
            pooled, vectors = (arrays[name].astype(np.float32) for name in ("pooled", "vectors"))
            known = np.unpackbits(arrays["known"]).astype(bool)
        if pooled.ndim != 2 or vectors.ndim != 2 or len(pooled) != len(vectors):
            raise ValueError(f"{CAPTIONS_FILE} holds {pooled.shape} and {vectors.shape} in place of two rows a caption")
        return cls(_unit(pooled), _unit(vectors), known)

    def with_tokens_of(self, other: KnownCaptions) -> KnownCaptions:
        """Return these captions, with the tokens known that either knows."""
        known = np.zeros(max(len(self.known), len(other.known)), np.bool_)
        for each in (self.known, other.known):
            known[: len(each)] |= each
        return KnownCaptions(self.pooled, self.vectors, known)

    def save(self, folder: Path) -> None:
        """Write them beside an adapter's weights, in float16."""
        buffer = io.BytesIO()
        pooled, vectors = self.pooled.astype(np.float16), self.vectors.astype(np.float16)
        np.savez_compressed(buffer, known=np.packbits(self.known), pooled=pooled, vectors=vectors)
        write_atomically(folder / CAPTIONS_FILE, buffer.getvalue())

    def blend(
        self,
        vectors: Floats,
        pooled: Floats,
        tokens: Sequence[NDArray[np.integer]] | NDArray[np.integer],
        texts: Sequence[str],
    ) -> Floats:
        """Draw the vectors of short texts with unknown words towards those of the captions like them.

        Args:
            vectors: unit vectors of the texts, (n, dim); dimensions beyond those of the captions stay what they are.
            pooled: the text tower's pooled vectors of the same, (n, channels).
            tokens: token numbers of each text.
            texts: the texts, (n,).

        Returns:
            Unit vectors (n, dim).
        """
        chosen = [
            i for i, text in enumerate(texts) if len(text.split()) <= MAX_QUERY_WORDS and not self._knows(tokens[i])
        ]
        if not chosen:
            return vectors
        out, core = vectors.copy(), self.vectors.shape[1]
        cosines = _unit(pooled[chosen]) @ self.pooled.T / TEMPERATURE
        weights = np.exp(cosines - cosines.max(1, keepdims=True))
        near = _unit(weights @ self.vectors)
        length = np.linalg.norm(vectors[chosen, :core], axis=1, keepdims=True)
        out[chosen, :core] = length * _unit(_unit(vectors[chosen, :core]) + STRENGTH * near)
        return out

    def _knows(self, tokens: NDArray[np.integer]) -> bool:
        return bool((tokens < len(self.known)).all() and self.known[tokens].all())


def _unit(x: Floats) -> Floats:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), np.float32(1e-12))
