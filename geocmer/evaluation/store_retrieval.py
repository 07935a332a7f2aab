"""Retrieval in a store by the words of its land-cover categories: what a model is worth on one's own imagery.

Each category is asked for by its prompt, and the tiles of that category are the right answers. Land cover is no perfect
truth: a tile has the category of most of its pixels, and layers err. The figures compare models more than they judge
one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import InputError
from ..models.encoder import Encoder
from ..models.prompts import prompt
from ..search.results import Hit
from ..search.vector_search import nearest_tiles
from ..store.snapshot import Snapshot
from ..store.store import Store
from ..store.vectors import to_numpy
from .panels import panel_of, write_panels
from .ranking import average_precision, precision_at, rank_right

PRECISION_HITS = 10
"""Hits whose precision is measured, P@10."""
_PANEL_HITS = 200
"""Hits among which the first wrong ones are looked for, to be drawn."""


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """How well the tiles of one category are found by its words.

    Attributes:
        category: asked for.
        tiles: of the category.
        precision: share of the category among the first 10 hits, or among all tiles if there are fewer.
        average_precision: mean of the precision at the rank of each tile of the category.
        chance: what both would be on average in a random order: the share of the category among all tiles.
    """

    category: str
    tiles: int
    precision: float
    average_precision: float
    chance: float

    def to_json(self) -> dict[str, object]:
        """Make a record of the score, its shares rounded to 0.001."""
        shares = {"p10": self.precision, "ap": self.average_precision, "chance": self.chance}
        return {"category": self.category, "tiles": self.tiles, **{name: round(v, 3) for name, v in shares.items()}}


def category_scores(
    snapshot: Snapshot, encode_texts: Callable[[Sequence[str]], NDArray[np.float32]], fingerprint: str, seed: int = 0
) -> list[CategoryScore]:
    """Ask a store for each of its categories, over all embedded tiles that have one; the most frequent first.

    Args:
        snapshot: of the store.
        encode_texts: texts -> unit vectors (n, dim), of the store's encoder.
        fingerprint: of that encoder.
        seed: of the order of tiles with equal scores.

    Raises:
        InputError: fewer than two categories have tiles, so that nothing can be told apart.
        StoreError: there are no vectors yet.
        FingerprintError: the vectors are another encoder's.
    """
    column = snapshot.require_encoder(fingerprint).column
    names = sorted(snapshot.categories)
    queries = encode_texts([prompt(name) for name in names]).astype(np.float32).T if names else np.empty((0, 0))
    scores, labels = [np.empty((0, len(names)), np.float32)], [np.empty(0, np.int64)]
    for batch in snapshot.scan(["category", column]):
        vectors, usable = to_numpy(batch[column])
        usable = usable & np.asarray(batch["category"].is_valid())
        if usable.any():
            scores.append(vectors[usable].astype(np.float32) @ queries)
            categories = batch["category"].filter(pa.array(usable)).to_pylist()
            labels.append(np.searchsorted(names, categories).astype(np.int64))
    label, score = np.concatenate(labels), np.concatenate(scores)
    counts = np.bincount(label, minlength=len(names))
    if np.count_nonzero(counts) < 2:
        raise InputError(
            f"the embedded tiles of {snapshot.path} have {np.count_nonzero(counts)} categories and at least 2 are "
            "needed; run `geocmer tile SCENE --landcover FILE`"
        )
    order = np.argsort(-counts, kind="stable")
    return [_score(names[c], score[:, c], label == c, seed) for c in order if counts[c]]


def mean_score(scores: Sequence[CategoryScore]) -> CategoryScore:
    """Average the scores, each category counting the same; its `average_precision` is known as mAP."""
    shares = np.mean([(score.precision, score.average_precision, score.chance) for score in scores], axis=0).tolist()
    return CategoryScore("mean of categories", sum(score.tiles for score in scores), *shares)


def store_panels(store: Store, categories: Sequence[str], encoder: Encoder, folder: Path) -> Path:
    """Draw the best tiles for each category of a store, cut from their scenes again; return the file.

    Raises:
        InputError: a scene is gone or has changed, or nothing can be written to the folder.
    """
    panels = []
    for category, vector in zip(categories, encoder.encode_texts([prompt(name) for name in categories]), strict=True):
        hits = nearest_tiles(store, vector, k=_PANEL_HITS, fingerprint=encoder.fingerprint).hits
        hits = [hit for hit in hits if hit.category is not None]
        ranked = np.array([hit.category == category for hit in hits])
        panels.append(panel_of(prompt(category), ranked, _reader(hits)))
    return write_panels(panels, folder, Path(store.path).name)


def _reader(hits: Sequence[Hit]) -> Callable[[int], NDArray[np.uint8]]:
    return lambda position: np.array(hits[position].image())


def _score(category: str, scores: NDArray[np.float32], right: NDArray[np.bool_], seed: int) -> CategoryScore:
    ranked = rank_right(scores, right, seed)
    precision, average = precision_at(ranked, PRECISION_HITS), average_precision(ranked)
    return CategoryScore(category, int(right.sum()), precision, average, float(right.mean()))
